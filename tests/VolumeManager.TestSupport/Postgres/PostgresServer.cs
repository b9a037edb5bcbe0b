using System.Net;
using System.Net.Sockets;
using VolumeManager.TestSupport.Polling;
using VolumeManager.TestSupport.Processes;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>
/// A real PostgreSQL server of a test's own, on a private unix socket. It can be stopped, crashed, frozen and started again; it ends with the test's process.
/// One for a whole test process and a database for each test is quick: see <see cref="CreateDatabaseAsync"/>.
/// </summary>
internal sealed partial class PostgresServer : IAsyncDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    /// <summary>The data directory of a server that has never run. A process runs initdb once, and each new server gets a copy.</summary>
    static readonly Lazy<Task<PostgresFolder>> s_empty = new(async () =>
    {
        var folder = await PostgresFolder.CreateAsync(PostgresUser.Other);
        await PostgresPrograms.RunAsync(folder, "initdb", "-D", folder.Data, "-U", "postgres",
            // Each run makes a new data directory, so it need not survive a power failure.
            "--no-sync", "--no-instructions", "--locale=C", "--encoding=UTF8", "--auth=trust", "--wal-segsize=1");
        return folder;
    });

    readonly PostgresFolder _folder;
    readonly PostgresOptions _options;
    PostgresProcess? _process;
    bool _crashed;

    PostgresServer(PostgresFolder folder, PostgresOptions options)
    {
        (_folder, _options) = (folder, options);
        // Without TCP a port only names the socket's file, in a folder that no other server uses.
        Port = options.Tcp ? FreePort() : 5432;
    }

    public string SocketDirectory => _folder.Sockets;
    public int Port { get; }

    /// <summary>The file itself, for a <see cref="PostgresProxy"/>.</summary>
    public string Socket => PostgresFolder.SocketOf(SocketDirectory, Port);

    /// <summary>Directory and port as one entry of a connection string's list of hosts.</summary>
    public string Host => $"{SocketDirectory}:{Port}";

    public string LogFile => _folder.Log;
    public bool IsRunning => _process is { HasExited: false };

    /// <summary>The postmaster, and the backends and workers that it has at this moment.</summary>
    public IReadOnlyList<int> ProcessIds => [Running.Postmaster, .. ProcessTable.ChildrenOf(Running.Postmaster)];

    PostgresProcess Running => IsRunning ? _process! : throw Failure("The server does not run");

    public static Task<PostgresServer> StartNewAsync(PostgresOptions? options = null) => StartNewAsync(options ?? new PostgresOptions(), async folder =>
    {
        var empty = await s_empty.Value;
        await Command.OutputOfAsync("cp", "-a", empty.Data, folder.Data);
    });

    /// <summary>Starts what was stopped or killed, and waits until it takes connections.</summary>
    public async Task StartAsync()
    {
        if (IsRunning) throw Failure("The server runs already");
        _process?.Dispose();
        _process = await PostgresProcess.StartAsync(_folder, [PostgresPrograms.PathOf("postgres"), "-D", _folder.Data, .. _options.ToArguments(_folder, Port)]);
        var ready = await Poll.HoldsWithinAsync(s_patience, () => IsRunning ? IsReady(_process.Postmaster) : throw Failure("The server ended at its start"));
        if (!ready) throw Failure($"The server is not ready after {s_patience.TotalSeconds} s");
    }

    /// <summary>Fast shutdown: what runs is rolled back, sessions are ended, everything is written.</summary>
    public async Task StopAsync()
    {
        var process = Running;
        ServerProcesses.Thaw(process.Postmaster);
        ProcessTable.Signal(process.Postmaster, ProcessTable.SIGINT);
        if (!await process.ExitsWithinAsync(s_patience)) throw Failure($"The server is not down after {s_patience.TotalSeconds} s");
    }

    /// <summary>A crash: SIGKILL for all of its processes at once.</summary>
    public async Task KillAsync()
    {
        var process = Running;
        _crashed = true;
        await ServerProcesses.KillAsync(process.Postmaster);
        if (!await process.ExitsWithinAsync(s_patience)) throw Failure("The server was killed and its parent does not notice");
    }

    /// <summary>It keeps its sockets, and does nothing: new connections are made by the kernel, and nobody answers on them.</summary>
    public void Freeze() => ServerProcesses.Freeze(Running.Postmaster);

    public void Thaw() => ServerProcesses.Thaw(Running.Postmaster);

    public async ValueTask DisposeAsync()
    {
        if (IsRunning)
        {
            // Immediate shutdown: no checkpoint, nobody needs the data; but unlike a kill it gives shared memory back.
            ServerProcesses.Thaw(_process!.Postmaster);
            ProcessTable.Signal(_process.Postmaster, ProcessTable.SIGQUIT);
            if (!await _process.ExitsWithinAsync(TimeSpan.FromSeconds(10))) await KillAsync();
        }

        if (_crashed) await FreeSharedMemoryAsync();
        _process?.Dispose();
        _cloning.Dispose();
        _folder.Dispose();
    }

    static async Task<PostgresServer> StartNewAsync(PostgresOptions options, Func<PostgresFolder, Task> fill)
    {
        var server = new PostgresServer(await PostgresFolder.CreateAsync(PostgresUser.Other), options);
        try
        {
            await fill(server._folder);
            await server.StartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>The postmaster writes its state into the eighth line of its file, as pg_ctl expects; a dead one's file has another process in the first.</summary>
    bool IsReady(int postmaster) => PidFile() is { Length: >= 8 } lines && lines[0] == $"{postmaster}" && lines[7].Trim() == "ready";

    /// <summary>A killed server leaves a small System V segment that a new server in the same folder would take down; the seventh line of its file has key and id.</summary>
    async Task FreeSharedMemoryAsync()
    {
        if (PidFile() is not { Length: >= 7 } lines || lines[6].Split(' ', StringSplitOptions.RemoveEmptyEntries) is not [_, var id]) return;
        // Its guard may have removed it already.
        await Command.RunAsync(s_patience, "ipcrm", "-m", id);
    }

    string[]? PidFile()
    {
        var path = Path.Combine(_folder.Data, "postmaster.pid");
        return File.Exists(path) ? File.ReadAllLines(path) : null;
    }

    InvalidOperationException Failure(string what, Exception? cause = null) => new($"{what}. The end of {_folder.Log}:\n{_folder.LogTail()}", cause);
}
