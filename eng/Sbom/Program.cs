// Writes down what a published folder of volman is made of, as CycloneDX 1.6 in JSON: every package with version, license and hash, and every file of it that is there.
// Of the tools for that none is among the packages that the tests can restore; eng/release.sh calls this one.
//
// usage: dotnet run --project eng/Sbom -- DIR [--depends TEXT]
//   DIR             what `dotnet publish` made, with its volman.deps.json
//   --depends TEXT  the field Depends of the Debian package, whose packages the host must have
//
// SOURCE_DATE_EPOCH is the time that it bears, and the same folder gives the same bytes.
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using VolumeManager.Sbom;

if (args is not [var folder, .. var rest] || rest is not ([] or ["--depends", _]))
{
    Console.Error.WriteLine("usage: dotnet run --project eng/Sbom -- DIR [--depends TEXT]");
    return 2;
}

var deps = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "volman.deps.json"))).RootElement;
var target = deps.GetProperty("targets").GetProperty(deps.GetProperty("runtimeTarget").GetProperty("name").GetString()!);
var left = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(folder, path)).ToHashSet(StringComparer.Ordinal);
var libraries = target.EnumerateObject()
    .Select(library => Library.Of(library, deps.GetProperty("libraries").GetProperty(library.Name), left))
    // One whose files were all left out is not there; that it is somewhere in the graph would only bring false alarms.
    .Where(library => library.Files.Length > 0 || !library.HasFiles)
    .ToArray();
var own = libraries.Where(library => library.Type == "project").ToArray();
var volman = own.Single(library => library.Name == "volman");
var others = libraries.Except(own).OrderBy(library => library.Purl, StringComparer.Ordinal).ToArray();
var needed = rest is [_, var depends] ? Debian.Parse(depends) : [];
foreach (var file in others.SelectMany(library => library.Files)) left.Remove(file);

// What no package brought we made.
var files = left.Order(StringComparer.Ordinal).Select(file => Bom.File(folder, file));
var components = new JsonArray([.. others.Select(library => Bom.Package(folder, library)), .. needed.Select(Bom.Needed)]);
var dependencies = new JsonArray(
[
    Bom.Dependency(volman.Purl, [.. own.SelectMany(library => library.Dependencies).Select(name => Find(name)).OfType<string>().Except([volman.Purl]), .. others.Where(library => library.Type == "runtimepack").Select(library => library.Purl), .. needed.Select(n => n.Purl)]),
    .. others.Select(library => Bom.Dependency(library.Purl, library.Dependencies.Select(name => Find(name)).OfType<string>())),
]);
var bom = new JsonObject
{
    ["$schema"] = "http://cyclonedx.org/schema/bom-1.6.schema.json",
    ["bomFormat"] = "CycloneDX",
    ["specVersion"] = "1.6",
    ["version"] = 1,
    ["metadata"] = new JsonObject
    {
        ["timestamp"] = Bom.Time(),
        ["tools"] = new JsonObject { ["components"] = new JsonArray(new JsonObject { ["type"] = "application", ["name"] = "eng/Sbom", ["version"] = volman.Version }) },
        ["component"] = new JsonObject
        {
            ["type"] = "application",
            ["bom-ref"] = volman.Purl,
            ["name"] = volman.Name,
            ["version"] = volman.Version,
            ["licenses"] = Bom.License("MIT"),
            ["purl"] = volman.Purl,
            ["components"] = new JsonArray([.. files]),
        },
    },
    ["components"] = components,
    ["dependencies"] = dependencies,
};
bom.Insert(3, "serialNumber", $"urn:uuid:{new Guid(SHA256.HashData(Encoding.UTF8.GetBytes(bom.ToJsonString()))[..16])}");
Console.WriteLine(bom.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
return 0;

string? Find(string name) => own.Any(library => library.Name == name) ? null : others.FirstOrDefault(library => library.Name == name)?.Purl;
