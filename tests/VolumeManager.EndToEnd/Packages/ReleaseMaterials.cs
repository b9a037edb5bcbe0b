using System.Security.Cryptography;
using System.Text.Json;
using System.Xml.Linq;
using VolumeManager.EndToEnd.Daemons;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The bill of materials of the published folder, held against the folder itself.</summary>
public sealed class ReleaseMaterials
{
    const string Depends = "libc6 (>= 2.34), libssl3t64 | libssl3";

    [Fact]
    public async Task Every_file_is_named_once_and_every_package_with_its_version()
    {
        using var bom = JsonDocument.Parse(await MaterialsAsync());
        var root = bom.RootElement;
        Assert.Equal("CycloneDX 1.6 1", $"{root.GetProperty("bomFormat")} {root.GetProperty("specVersion")} {root.GetProperty("version")}");
        Assert.Matches("^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", root.GetProperty("serialNumber").GetString());
        Assert.Equal("2026-11-18T11:06:40Z", root.GetProperty("metadata").GetProperty("timestamp").GetString());
        var volman = root.GetProperty("metadata").GetProperty("component");
        Assert.Equal($"volman {await ReleaseTools.VersionAsync(DaemonBinary.Path)}", $"{volman.GetProperty("name")} {volman.GetProperty("version")}");
        var components = root.GetProperty("components").EnumerateArray().ToArray();

        // What lies in the folder is in the bill, byte for byte, and nothing else is.
        var there = Directory.EnumerateFiles(DaemonBinary.Folder, "*", SearchOption.AllDirectories)
            .Select(path => $"{Path.GetRelativePath(DaemonBinary.Folder, path)} {Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))}").Order(StringComparer.Ordinal);
        var named = components.Append(volman).Where(component => component.TryGetProperty("components", out _)).SelectMany(component => component.GetProperty("components").EnumerateArray())
            .Select(file => $"{file.GetProperty("name")} {HashOf(file, "SHA-256")}").Order(StringComparer.Ordinal);
        Assert.Equal(there, named);

        // What the schema asks of each, and of references: that they lead somewhere, and each to one.
        Assert.All(components, component => Assert.Contains(component.GetProperty("type").GetString(), (string[])["library", "framework"]));
        Assert.All(components, component => Assert.Equal(component.GetProperty("purl").GetString(), component.GetProperty("bom-ref").GetString()));
        var references = components.Append(volman).Select(component => component.GetProperty("bom-ref").GetString()!).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(components.Length + 1, references.Count);
        Assert.All(root.GetProperty("dependencies").EnumerateArray().SelectMany(d => d.GetProperty("dependsOn").EnumerateArray().Append(d.GetProperty("ref"))), reference => Assert.Contains(reference.GetString()!, references));
        Assert.All(components.Where(IsNuget), component => Assert.NotEmpty(component.GetProperty("licenses")[0].GetProperty("expression").GetString()!));

        // Versions: of a package as we ask for it, of the runtime as the program is started with it, of what the host must have the name.
        Assert.Contains($"pkg:nuget/Npgsql@{AskedFor("Npgsql")}", references);
        Assert.Contains($"pkg:nuget/System.CommandLine@{AskedFor("System.CommandLine")}", references);
        foreach (var framework in Frameworks())
            Assert.Contains(references, reference => reference.StartsWith($"pkg:nuget/{framework.Name}.Runtime.linux-", StringComparison.Ordinal) && reference.EndsWith($"@{framework.Version}", StringComparison.Ordinal));
        Assert.Equal(["pkg:deb/debian/libc6", "pkg:deb/debian/libssl3t64"], references.Where(reference => reference.StartsWith("pkg:deb/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));

        // SQLite lies in the folder, and advisories name the package that it came in.
        var sqlite = Assert.Single(components, component => component.GetProperty("name").GetString() == "SQLitePCLRaw.lib.e_sqlite3");
        Assert.Equal(["libe_sqlite3.so"], sqlite.GetProperty("components").EnumerateArray().Select(file => file.GetProperty("name").GetString()));
    }

    [Fact]
    public async Task The_same_folder_gives_the_same_bill() => Assert.Equal(await MaterialsAsync(), await MaterialsAsync());

    static async Task<string> MaterialsAsync() => (await ReleaseTools.DotnetAsync(ReleaseTools.Tree,
        "run", "--project", "eng/Sbom", "--configuration", "Release", "--environment", "SOURCE_DATE_EPOCH=1795000000", "--", DaemonBinary.Folder, "--depends", Depends)).MustSucceed().Output;

    static bool IsNuget(JsonElement component) => component.GetProperty("purl").GetString()!.StartsWith("pkg:nuget/", StringComparison.Ordinal);

    static string? HashOf(JsonElement component, string algorithm) =>
        component.GetProperty("hashes").EnumerateArray().Single(hash => hash.GetProperty("alg").GetString() == algorithm).GetProperty("content").GetString();

    static string? AskedFor(string package) => (string?)XDocument.Load(Path.Combine(ReleaseTools.Tree, "Directory.Packages.props")).Descendants("PackageVersion")
        .Single(element => (string?)element.Attribute("Include") == package).Attribute("Version");

    static (string Name, string Version)[] Frameworks()
    {
        using var config = JsonDocument.Parse(File.ReadAllText(DaemonBinary.Path + ".runtimeconfig.json"));
        return [.. config.RootElement.GetProperty("runtimeOptions").GetProperty("includedFrameworks").EnumerateArray()
            .Select(framework => (framework.GetProperty("name").GetString()!, framework.GetProperty("version").GetString()!))];
    }
}
