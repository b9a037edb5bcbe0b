using System.Globalization;
using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;

namespace VolumeManager.Hosts;

/// <summary>The directory that makes this host itself: its id, its catalog, and the lock that lets one daemon alone use them.</summary>
internal sealed class StateDirectory : IDisposable
{
    readonly SafeFileHandle _lock;

    StateDirectory(string path, SafeFileHandle held, Guid hostId)
    {
        Path = path;
        _lock = held;
        HostId = hostId;
    }

    internal string Path { get; }

    /// <summary>Made at the first start, the same ever after.</summary>
    internal Guid HostId { get; }

    internal string CatalogFile => CatalogFileIn(Path);

    internal static string CatalogFileIn(string path) => System.IO.Path.Combine(path, "catalog.db");

    /// <summary>What time it is in the cluster (<see cref="ClusterClock"/>).</summary>
    internal string ClockFile => System.IO.Path.Combine(Path, "clock");

    internal string LedgerFile => System.IO.Path.Combine(Path, "ledger.db");

    /// <exception cref="VolumeException">Another daemon uses the directory, or it cannot be written.</exception>
    internal static StateDirectory Open(string path)
    {
        try
        {
            Directory.CreateDirectory(path, DirectoryRoot.Passable);
            var lockFile = System.IO.Path.Combine(path, "lock");
            // flock(2) ends with the process, however it ends. The file stays: removing it would let two daemons lock two files of one name.
            var held = LibC.Open(null, lockFile, LibC.O_RDWR | LibC.O_CREAT, 0x180 /* 0600 */);
            if (LibC.Flock(held, LibC.LOCK_EX | LibC.LOCK_NB) < 0)
            {
                using (held) throw new VolumeException($"another volman (process {ReadHolder(held)}) uses the state directory {path}: stop it, or give this one its own --state-dir");
            }

            RandomAccess.SetLength(held, 0);
            RandomAccess.Write(held, System.Text.Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)), 0);
            return new StateDirectory(path, held, ReadOrMakeHostId(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"the state directory {path} cannot be used ({e.Message}): mend it, or name another with --state-dir", e);
        }
    }

    // Not File.ReadAllText: the framework asks for a lock of its own when it opens a file, and would not get it.
    static string ReadHolder(SafeFileHandle lockFile)
    {
        Span<byte> text = stackalloc byte[32];
        return System.Text.Encoding.ASCII.GetString(text[..RandomAccess.Read(lockFile, text, 0)]);
    }

    static Guid ReadOrMakeHostId(string path)
    {
        var file = System.IO.Path.Combine(path, "host-id");
        if (File.Exists(file))
        {
            return Guid.TryParse(File.ReadAllText(file), out var found)
                ? found
                : throw new VolumeException($"{file} holds no host id: restore it from a backup, or delete it together with the catalog to begin anew");
        }

        var id = Guid.CreateVersion7();
        DurableFile.Write(file, id.ToString());
        return id;
    }

    public void Dispose() => _lock.Dispose();
}
