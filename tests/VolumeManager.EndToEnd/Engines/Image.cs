using System.Formats.Tar;

namespace VolumeManager.EndToEnd.Engines;

/// <summary>The one image of these tests: static busybox, and /data/f for the engine to copy up into an empty volume.</summary>
internal static class Image
{
    public const string Name = "bb";

    static readonly string[] s_applets = ["sh", "cat", "echo", "sleep", "usleep", "ls", "mkdir", "touch", "stat", "true", "test"];

    public static async Task WriteAsync(string path, string busybox)
    {
        await using var file = File.Create(path);
        await using var tar = new TarWriter(file);
        foreach (var folder in new[] { "bin", "data", "tmp" })
            await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.Directory, folder + "/") { Mode = (UnixFileMode)0b111_101_101 });
        await using var program = File.OpenRead(busybox);
        await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, "bin/busybox") { DataStream = program, Mode = (UnixFileMode)0b111_101_101 });
        foreach (var applet in s_applets)
            await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.SymbolicLink, $"bin/{applet}") { LinkName = "busybox" });
        using var text = new MemoryStream("from the image\n"u8.ToArray());
        await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, "data/f") { DataStream = text });
    }
}
