namespace VolumeManager.Exports;

/// <summary>
/// The name that a data root has wherever it is mounted: a UUID in a file within it. Hosts that share a catalog must share the directory too; one that has another
/// directory there, or an empty one because the disk is not mounted, would look for the data where it is not.
/// </summary>
internal static class DataRootId
{
    const string FileName = ".volman-root";

    /// <summary>The id of the root, which is made if there is none.</summary>
    /// <exception cref="VolumeException">It cannot be read or made.</exception>
    internal static string ReadOrMake(string root)
    {
        try
        {
            var file = Path.Combine(root, FileName);
            if (!File.Exists(file)) Make(root, file);
            return Read(root);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"the data root {root} cannot be given an id ({e.Message}): mend it, or name another with --data-root", e);
        }
    }

    /// <summary>The id that the root has now; empty when it has none.</summary>
    internal static string Read(string root)
    {
        try
        {
            return File.ReadAllText(Path.Combine(root, FileName)).Trim();
        }
        catch (FileNotFoundException)
        {
            return "";
        }
    }

    static void Make(string root, string file)
    {
        var partial = Path.Combine(root, $"{FileName}.{Guid.NewGuid():N}");
        using (var stream = new FileStream(partial, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
        {
            stream.Write(System.Text.Encoding.ASCII.GetBytes(Guid.NewGuid().ToString()));
            stream.Flush(flushToDisk: true);
        }

        try
        {
            // Made whole and then linked: of two hosts that come first at once one is first.
            File.Move(partial, file, overwrite: false);
        }
        catch (IOException) when (File.Exists(file))
        {
            File.Delete(partial);
        }
    }
}
