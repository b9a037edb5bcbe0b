using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace VolumeManager.Sbom;

/// <summary>Parts of a CycloneDX document.</summary>
internal static class Bom
{
    internal static JsonNode Package(string folder, Library library)
    {
        var component = new JsonObject { ["type"] = library.Type == "runtimepack" ? "framework" : "library", ["bom-ref"] = library.Purl, ["name"] = library.Name, ["version"] = library.Version };
        if (library.Sha512 is { } hash) component["hashes"] = new JsonArray(Hash("SHA-512", hash));
        if (library.License is { } license) component["licenses"] = License(license);
        component["purl"] = library.Purl;
        if (library.Files.Length > 0) component["components"] = new JsonArray([.. library.Files.Select(file => File(folder, file))]);
        return component;
    }

    internal static JsonNode File(string folder, string file) => new JsonObject
    {
        ["type"] = "file",
        ["name"] = file,
        ["hashes"] = new JsonArray(Hash("SHA-256", Convert.ToHexStringLower(SHA256.HashData(System.IO.File.ReadAllBytes(Path.Combine(folder, file)))))),
    };

    internal static JsonNode Needed(Debian needed) => new JsonObject
    {
        ["type"] = "library",
        ["bom-ref"] = needed.Purl,
        ["name"] = needed.Name,
        ["purl"] = needed.Purl,
        ["properties"] = new JsonArray(new JsonObject { ["name"] = "volman:depends", ["value"] = needed.Constraint }),
    };

    internal static JsonArray License(string expression) => [new JsonObject { ["expression"] = expression }];

    internal static JsonNode Dependency(string from, IEnumerable<string> on) =>
        new JsonObject { ["ref"] = from, ["dependsOn"] = new JsonArray([.. on.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(purl => JsonValue.Create(purl))]) };

    internal static string Time()
    {
        var time = Environment.GetEnvironmentVariable("SOURCE_DATE_EPOCH") is { Length: > 0 } seconds ? DateTimeOffset.FromUnixTimeSeconds(long.Parse(seconds, CultureInfo.InvariantCulture)) : DateTimeOffset.UtcNow;
        return time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
    }

    static JsonObject Hash(string algorithm, string content) => new JsonObject { ["alg"] = algorithm, ["content"] = content };
}
