namespace VolumeManager.TestSupport.Scratch;

/// <summary>A temporary folder, deleted with the test. Whatever is mounted in it is unmounted first. Folders of test processes that died are swept away.</summary>
internal sealed class ScratchFolder : IDisposable
{
    static int s_count;

    /// <param name="prefix">The beginning of its name; processes that use the same prefix sweep each other's remains.</param>
    /// <param name="parent">The system's temporary folder when left out.</param>
    public ScratchFolder(string prefix = "volman-", string? parent = null)
    {
        parent ??= Path.GetTempPath();
        foreach (var dead in DeadIn(parent, prefix))
            TrySweep(dead);
        do
        {
            // Short: the path of a socket may have 107 bytes.
            Name = $"{prefix}{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
            FullPath = Path.Combine(parent, Name);
        }
        while (Path.Exists(FullPath));
        Directory.CreateDirectory(FullPath, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public string Name { get; }

    public string FullPath { get; }

    public string Of(string relative) => Path.Combine(FullPath, relative);

    public string Make(string relative) => Directory.CreateDirectory(Of(relative)).FullName;

    /// <summary>The folders whose test process is dead.</summary>
    public static IEnumerable<string> DeadIn(string parent, string prefix) => Directory.EnumerateDirectories(parent, prefix + "*")
        .Where(folder => int.TryParse(Path.GetFileName(folder)[prefix.Length..].Split('-')[0], out var owner) && !Directory.Exists($"/proc/{owner}"));

    public override string ToString() => FullPath;

    public void Dispose() => Delete(FullPath);

    /// <summary>Deletes a folder. Unmounts first: what a mount shows may be somebody else's.</summary>
    public static void Delete(string folder)
    {
        MountTable.UnmountBelow(folder);
        Directory.Delete(folder, recursive: true);
    }

    static void TrySweep(string folder)
    {
        try
        {
            Delete(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another run of these tests sweeps it at this moment, or another user owns it.
        }
    }
}
