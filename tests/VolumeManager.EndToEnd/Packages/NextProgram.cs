using System.Text;
using VolumeManager.EndToEnd.Daemons;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The program under test as a later version of itself. It differs in nothing but the version that it reports, so it needs no second build.</summary>
internal static class NextProgram
{
    /// <summary>Higher than the version of this source, and as long.</summary>
    public static string Version { get; } = $"9{ReleaseTools.Version[1..]}";

    /// <summary>Copies the program under test to a folder and puts the later version into it.</summary>
    public static void WriteTo(string folder)
    {
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(DaemonBinary.Folder))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        var dependencies = Path.Combine(folder, "volman.deps.json");
        var text = File.ReadAllText(dependencies);
        File.WriteAllText(dependencies, text.Replace($"\"volman/{ReleaseTools.Version}\"", $"\"volman/{Version}\"", StringComparison.Ordinal));
        foreach (var assembly in new[] { "volman.dll", "VolumeManager.Core.dll" })
            Replace(Path.Combine(folder, assembly), AttributeBlob(ReleaseTools.Version), AttributeBlob(Version));
    }

    /// <summary>ECMA-335 II.23.3: how metadata stores an attribute with one string, here AssemblyInformationalVersion.</summary>
    static byte[] AttributeBlob(string text) => [1, 0, (byte)text.Length, .. Encoding.UTF8.GetBytes(text), 0, 0];

    static void Replace(string file, byte[] old, byte[] replacement)
    {
        var bytes = File.ReadAllBytes(file);
        var found = 0;
        for (int at, from = 0; (at = bytes.AsSpan(from).IndexOf(old)) >= 0; from += at + old.Length, found++)
            replacement.CopyTo(bytes, from + at);
        Assert.True(found > 0, $"{file} does not state its version as expected.");
        File.WriteAllBytes(file, bytes);
    }
}
