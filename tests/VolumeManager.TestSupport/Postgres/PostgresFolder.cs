using VolumeManager.TestSupport.Processes;
using VolumeManager.TestSupport.Scratch;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>A temporary folder with a short path that the server's user can reach.</summary>
internal sealed class PostgresFolder : IDisposable
{
    // A unix socket's path has at most 107 bytes, and below the base come our name and ".s.PGSQL.65535".
    const int LongestBase = 60;

    readonly ScratchFolder _folder;

    PostgresFolder(ScratchFolder folder) => _folder = folder;

    public string Root => _folder.FullPath;
    public string Data => _folder.Of("data");
    public string Sockets => _folder.Of("s");
    public string Log => _folder.Of("log");

    public static async Task<PostgresFolder> CreateAsync(PostgresUser? owner)
    {
        var folder = new PostgresFolder(new ScratchFolder("volman-pg-", FindBase(owner)));
        string[] ownership = owner is null ? [] : ["-o", owner.Uid, "-g", owner.Gid];
        await Command.OutputOfAsync("install", ["-d", "-m", "0700", .. ownership, folder.Root, folder.Sockets]);
        return folder;
    }

    /// <summary>Where PostgreSQL and its clients expect the socket of a port.</summary>
    public static string SocketOf(string sockets, int port) => Path.Combine(sockets, $".s.PGSQL.{port}");

    public string LogTail(int lines = 30) => File.Exists(Log) ? string.Join('\n', File.ReadLines(Log).TakeLast(lines)) : "(no log)";

    public void Dispose() => _folder.Dispose();

    /// <summary>TMPDIR may be private to us, or deep: then the system's own folders for such things.</summary>
    static string FindBase(PostgresUser? owner) =>
        new[] { Path.GetTempPath().TrimEnd('/'), "/tmp", "/var/tmp" }.FirstOrDefault(path => path.Length <= LongestBase && (owner is null || IsOpenToAll(path)))
            ?? throw new IOException("Neither TMPDIR nor /tmp nor /var/tmp is a short path that an unprivileged user may enter.");

    static bool IsOpenToAll(string path)
    {
        for (var folder = new DirectoryInfo(path); folder is not null; folder = folder.Parent)
        {
            if (!folder.Exists || !folder.UnixFileMode.HasFlag(UnixFileMode.OtherExecute)) return false;
        }

        return true;
    }
}
