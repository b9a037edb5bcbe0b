using VolumeManager.Linux;

namespace VolumeManager.Exports;

/// <summary>
/// The name that a data root has wherever it is mounted: a UUID in a file within it. Hosts that share a catalog must share the directory too; one that has another
/// directory there, or an empty one because the disk is not mounted, would look for the data where it is not. A host remembers by which id it knows its roots.
/// </summary>
internal static class DataRootId
{
    internal const string FileName = ".volman-root";

    // A UUID has 36; an operator may have written another text.
    const int MaxBytes = 64;

    /// <summary>The id by which this host knows the root at a path; at its first use that of what is there, which is given one if it has none.</summary>
    /// <param name="memory">The file in which the host remembers. A setting that names another path begins anew.</param>
    /// <returns>What is there now may be something else: its disk may not be mounted.</returns>
    /// <exception cref="VolumeException">It cannot be read or made.</exception>
    internal static string Recognise(string root, string memory)
    {
        var known = File.Exists(memory) && File.ReadAllText(memory).Split(' ', 2) is [var id, var path] && path == root ? id : "";
        if (known.Length > 0) return known;
        known = ReadOrMake(root);
        try
        {
            DurableFile.Write(memory, $"{known} {root}");
        }
        catch (IOException)
        {
            // A full disk must not keep the daemon from its start; the next one remembers.
        }

        return known;
    }

    /// <summary>Whether the root with that id is there.</summary>
    internal static bool IsThere(string root, string id) => Read(root) == id;

    /// <summary>The id of the root, which is made if there is none.</summary>
    /// <exception cref="VolumeException">It cannot be read or made.</exception>
    internal static string ReadOrMake(string root)
    {
        try
        {
            var file = Path.Combine(root, FileName);
            if (!File.Exists(file)) Make(root, file);
            return Read(root) is { Length: > 0 } id ? id : throw new IOException($"{file} is no readable file of 1 to {MaxBytes} bytes");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"the data root {root} cannot be given an id ({e.Message}): mend it, or name another directory", e);
        }
    }

    /// <summary>The id that the root has now; empty when it has none.</summary>
    internal static string Read(string root)
    {
        try
        {
            return ForeignFile.TryRead(root, FileName, MaxBytes)?.Trim() ?? "";
        }
        catch (IOException)
        {
            // Without a disk, or with one that cannot be read, it is not there.
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
            // Others remember the id from now on.
            new DirectoryRoot(root).Sync("");
        }
        catch (IOException)
        {
            File.Delete(partial);
            if (!File.Exists(file)) throw;
        }
    }
}
