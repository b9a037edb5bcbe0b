using System.Text;

namespace VolumeManager.Linux;

/// <summary>Small files that are there whole or not at all, whenever the power fails.</summary>
internal static class DurableFile
{
    /// <summary>Puts a text in the place of what a file holds now; when it returns that is on disk.</summary>
    /// <exception cref="IOException">The disk is full or broken; the file is as it was.</exception>
    internal static void Write(string path, string text)
    {
        var partial = path + ".partial";
        using (var stream = new FileStream(partial, FileMode.Create))
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(partial, path, overwrite: true);
        // The new name is the directory's, and on disk when that is (fsync(2)).
        var folder = Path.GetDirectoryName(path)!;
        using var directory = LibC.Open(null, folder, LibC.O_RDONLY | LibC.O_DIRECTORY);
        LibC.Check(LibC.Fsync(directory), "fsync", folder);
    }
}
