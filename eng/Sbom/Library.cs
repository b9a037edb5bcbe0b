using System.Text.Json;
using System.Xml.Linq;

namespace VolumeManager.Sbom;

/// <summary>One entry of the published folder's deps.json.</summary>
/// <param name="HasFiles">Whether it would bring any.</param>
/// <param name="Files">Those that are in the folder.</param>
internal sealed record Library(string Name, string Version, string Type, string Purl, string? Sha512, string? License, bool HasFiles, string[] Files, string[] Dependencies)
{
    const string RuntimePack = "runtimepack.";
    static readonly string[] s_kinds = ["runtime", "native", "resources"];

    internal static Library Of(JsonProperty entry, JsonElement about, HashSet<string> there)
    {
        var (name, version) = entry.Name.Split('/') is [var n, var v] ? (n, v) : throw new InvalidDataException($"{entry.Name} in volman.deps.json is no name with a version");
        if (name.StartsWith(RuntimePack, StringComparison.Ordinal)) name = name[RuntimePack.Length..];
        var type = about.GetProperty("type").GetString()!;
        var isOurs = type == "project";
        string[] brought = [.. s_kinds.Where(kind => entry.Value.TryGetProperty(kind, out _)).SelectMany(kind => entry.Value.GetProperty(kind).EnumerateObject()).Select(file => Path.GetFileName(file.Name))];
        string[] dependencies = entry.Value.TryGetProperty("dependencies", out var asked) ? [.. asked.EnumerateObject().Select(d => d.Name)] : [];
        return new Library(
            name, version, type, isOurs ? $"pkg:generic/{name}@{version}" : $"pkg:nuget/{name}@{version}",
            about.GetProperty("sha512").GetString() is ['s', 'h', 'a', '5', '1', '2', '-', .. var hash] ? Convert.ToHexStringLower(Convert.FromBase64String(hash)) : null,
            isOurs ? "MIT" : LicenseOf(name, version), brought.Length > 0, [.. brought.Where(there.Contains).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)], dependencies);
    }

    /// <summary>What the package says itself, where it was restored from; null where it does not in a way that programs understand.</summary>
    static string? LicenseOf(string name, string version)
    {
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget/packages");
        var lower = name.ToLowerInvariant();
        var specification = Path.Combine(packages, lower, version, $"{lower}.nuspec");
        if (!File.Exists(specification)) return null;
        var license = XDocument.Load(specification).Descendants().FirstOrDefault(e => e.Name.LocalName == "license");
        return (string?)license?.Attribute("type") == "expression" ? license!.Value : null;
    }
}
