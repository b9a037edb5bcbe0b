using System.Net.Sockets;
using System.Runtime.CompilerServices;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Linux;

namespace VolumeManager.Diagnosis;

/// <summary>What can be seen of a host's set-up from its settings alone: sockets, directories, room, and without a daemon the catalog too.</summary>
internal sealed class SetUpChecks(Settings settings)
{
    const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
    const UnixFileMode OthersWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    // Below these shares, and below these sizes, for one percent of a large disk is plenty.
    const double LittleShare = 0.05;
    const double LeastShare = 0.01;
    const long LittleBytes = 5L << 30;
    const long LeastBytes = 1L << 30;
    const long LittleFiles = 100_000;
    const long LeastFiles = 10_000;

    // A disk that hangs keeps these two, and no request.
    static readonly SyscallLane s_lane = new("doctor", maxThreads: 2);

    /// <summary>Of a daemon that serves.</summary>
    internal async IAsyncEnumerable<Finding> LookAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var finding in new[] { LookAtSocket(settings.Socket, "socket"), LookAtSocket(settings.AdminSocket, "admin-socket") }.OfType<Finding>()) yield return finding;
        await foreach (var finding in LookAroundAsync(cancellation)) yield return finding;
    }

    /// <summary>Of one that does not: what it would meet when it started.</summary>
    internal async IAsyncEnumerable<Finding> LookAloneAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var finding in LookAroundAsync(cancellation)) yield return finding;
        var file = settings.Database.Length > 0 ? $"{settings.StateDirectory}/ledger.db" : StateDirectory.CatalogFileIn(settings.StateDirectory);
        if (File.Exists(file))
        {
            await foreach (var finding in SchemaChecks.LookAtFileAsync(file)) yield return finding;
        }

        if (!MountPropagation.ReachesInit(Directory.Exists(settings.MountRoot) ? settings.MountRoot : "/"))
        {
            yield return new Finding("mounts-unseen", Severity.Warning, settings.MountRoot, $"what is mounted under {settings.MountRoot} from here is not seen by process 1", "run volman without PrivateTmp, ProtectSystem or other private mounts");
        }

        if (settings.Database.Length > 0 && await TryDatabaseAsync(cancellation) is { } trouble) yield return new Finding("catalog-away", Severity.Error, trouble.Name, trouble.Problem, "see to what the reason names, then start volman");
    }

    async IAsyncEnumerable<Finding> LookAroundAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var finding in LookAtPlugins()) yield return finding;
        string[] directories = [settings.StateDirectory, settings.DataRoot, .. settings.ExportDirectory.Length > 0 ? [settings.ExportDirectory] : Array.Empty<string>()];
        foreach (var directory in directories)
        {
            if (await s_lane.RunAsync(() => LookAtRoom(directory), cancellation).WaitAsync(cancellation) is { } finding) yield return finding;
        }
    }

    /// <summary>The engine looks for sockets in its own directory, and asks each one that is there.</summary>
    IEnumerable<Finding> LookAtPlugins()
    {
        var directory = Path.GetDirectoryName(settings.Socket)!;
        var driver = Path.GetFileNameWithoutExtension(settings.Socket);
        if (directory is not ("/run/docker/plugins" or "/var/run/docker/plugins") || Path.GetExtension(settings.Socket) != ".sock")
        {
            var found = ((string[])["/etc/docker/plugins", "/usr/lib/docker/plugins"]).Any(d => File.Exists($"{d}/{driver}.spec") || File.Exists($"{d}/{driver}.json"));
            if (!found) yield return new Finding("socket-elsewhere", Severity.Note, settings.Socket, $"engines look for /run/docker/plugins/NAME.sock, and not for {settings.Socket}", $"set socket, or write unix://{settings.Socket} into /etc/docker/plugins/{driver}.spec");
        }

        if (!Directory.Exists(directory))
        {
            yield return new Finding("plugin-directory", Severity.Error, directory, $"the directory {directory} of the plugin socket is not there", "start volman again: it makes it");
            yield break;
        }

        if ((File.GetUnixFileMode(directory) & OthersWrite) != UnixFileMode.None)
        {
            yield return new Finding("plugin-directory", Severity.Error, directory, $"others than root may write to {directory}, and put their own socket in the place of volman's", "takes that right away")
            {
                Repair = _ =>
                {
                    File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) & ~OthersWrite);
                    return Task.CompletedTask;
                },
            };
        }

        foreach (var socket in Directory.EnumerateFiles(directory, "*.sock").Where(IsDead))
        {
            yield return new Finding("socket-dead", Severity.Warning, socket, $"nobody answers at {socket}: an engine that finds it there waits 15 s for it at each docker volume ls", $"start the plugin that it belongs to, or remove the file");
        }
    }

    static Finding? LookAtSocket(string path, string setting)
    {
        if (!File.Exists(path)) return new Finding("socket-missing", Severity.Error, path, $"the socket {path} was removed under the daemon, and nobody finds it any more", $"start volman again, and see what removes files there; {setting} names another place");
        return (File.GetUnixFileMode(path) & Others) == UnixFileMode.None ? null : new Finding("socket-open", Severity.Error, path, $"others than root may connect to {path}, and do with volumes what they like", "lets root alone connect")
        {
            Repair = _ =>
            {
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
                return Task.CompletedTask;
            },
        };
    }

    static bool IsDead(string path)
    {
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return false;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.ConnectionRefused;
        }
        catch (ArgumentException)
        {
            // Too long a path for a socket: nobody's.
            return false;
        }
    }

    static Finding? LookAtRoom(string directory)
    {
        if (!Directory.Exists(directory)) return new Finding("directory-absent", Severity.Error, directory, $"the directory {directory} is not there", "mount its disk, or start volman again: it makes it");
        var space = FileSystemSpace.Of(directory);
        bool IsBelow(double share, long bytes, long files) =>
            (space.FreeBytes < bytes && space.FreeBytes < space.Bytes * share) || (space.Files > 0 && space.FreeFiles < files && space.FreeFiles < space.Files * share);
        if (!IsBelow(LittleShare, LittleBytes, LittleFiles)) return null;
        return new Finding(
            "space-low", IsBelow(LeastShare, LeastBytes, LeastFiles) ? Severity.Error : Severity.Warning, directory,
            $"the disk of {directory} has {space.FreeBytes >> 20} MiB of {space.Bytes >> 20} MiB{(space.Files > 0 ? $" and {space.FreeFiles} of {space.Files} inodes" : "")} left", "free some, volman trash empty may; without room nothing can be written down, and volumes cannot be made");
    }

    async Task<(string Name, string Problem)?> TryDatabaseAsync(CancellationToken cancellation)
    {
        await using var database = new PostgresDatabase(settings.Database, settings.HostName);
        try
        {
            await PostgresSchema.CheckAsync(database, newerIsRefused: true, cancellation);
            return null;
        }
        catch (Exception e) when (e is VolumeException or CatalogSchemaException)
        {
            return (database.Name, e.Message);
        }
    }
}
