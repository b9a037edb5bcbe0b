using System.Diagnostics;

namespace VolumeManager.Postgres;

/// <summary>A temporary folder with a short path that the server's user can reach; it goes with the test.</summary>
internal sealed class PostgresFolder : IDisposable
{
    const string Prefix = "volman-pg-";

    // A unix socket's path has at most 107 bytes, and below the base come our name and ".s.PGSQL.65535".
    const int LongestBase = 60;
    static int s_count;

    PostgresFolder(string root) => Root = root;

    public string Root { get; }
    public string Data => Path.Combine(Root, "data");
    public string Sockets => Path.Combine(Root, "s");
    public string Log => Path.Combine(Root, "log");

    public static async Task<PostgresFolder> CreateAsync(PostgresUser? owner)
    {
        var temp = FindBase(owner);
        SweepDead(temp);
        var folder = new PostgresFolder(Path.Combine(temp, $"{Prefix}{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}"));
        string[] ownership = owner is null ? [] : ["-o", owner.Uid, "-g", owner.Gid];
        using var install = Process.Start(new ProcessStartInfo("install", ["-d", "-m", "0700", .. ownership, folder.Root, folder.Sockets]) { UseShellExecute = false })!;
        await install.WaitForExitAsync();
        return install.ExitCode == 0 ? folder : throw new IOException($"{folder.Root} cannot be made: install ended with {install.ExitCode}");
    }

    /// <summary>Where PostgreSQL and its clients expect the socket of a port.</summary>
    public static string SocketOf(string sockets, int port) => Path.Combine(sockets, $".s.PGSQL.{port}");

    public string LogTail(int lines = 30) => File.Exists(Log) ? string.Join('\n', File.ReadLines(Log).TakeLast(lines)) : "(no log)";

    public void Dispose() => Directory.Delete(Root, recursive: true);

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

    /// <summary>What an aborted test run left on the disk. Its servers went with it.</summary>
    static void SweepDead(string temp)
    {
        foreach (var folder in Directory.EnumerateDirectories(temp, Prefix + "*"))
        {
            var owner = Path.GetFileName(folder)[Prefix.Length..].Split('-')[0];
            if (!int.TryParse(owner, out _) || Directory.Exists($"/proc/{owner}")) continue;
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another run of these tests sweeps it at this moment, or another user owns it.
            }
        }
    }
}
