using System.Diagnostics;
using VolumeManager.Benchmarks.Engine;

namespace VolumeManager.Benchmarks.Servers;

/// <summary>One cluster: a shared catalog in a database, a shared data root, and hosts that have the rest each for itself. All of them run on this machine.</summary>
internal sealed class ClusterHome
{
    readonly BenchmarkRun _run;
    readonly ClusterServer _server;
    readonly string _name;
    readonly string _root;

    ClusterHome(BenchmarkRun run, ClusterServer server, string name, string database)
    {
        _run = run;
        _server = server;
        _name = name;
        _root = Path.Combine(run.Workspace.Root, name);
        Database = database;
    }

    internal string Database { get; }

    internal string DataRoot => Path.Combine(_root, "data");

    internal static async Task<ClusterHome> MakeAsync(BenchmarkRun run, ClusterServer server, string name, bool counted = false)
    {
        var home = new ClusterHome(run, server, name, await server.NewDatabaseAsync(counted));
        Directory.CreateDirectory(home.DataRoot);
        await home.MigrateAsync();
        return home;
    }

    /// <summary>Starts a host's volman and returns at once. The same host can be started again: what it knew it knows still.</summary>
    /// <param name="lease">How often it is heard of: each third of this. None comes within a measurement when it is long.</param>
    /// <param name="alone">Without the passes of the background, which would come in between where single requests are counted.</param>
    internal ServerProcess Start(string host, TimeSpan lease, bool throughProxy = false, bool alone = false)
    {
        var own = Path.Combine(_root, host);
        foreach (var folder in new[] { "state", "mnt" })
            Directory.CreateDirectory(Path.Combine(own, folder));
        var socket = Path.Combine(_run.Workspace.Sockets, $"{_name}-{host}.sock");
        return ServerProcess.Start(_run.Workspace, socket, _run.Options.Volman,
        [
            "serve", "--socket", socket, "--admin-socket", socket + ".admin", "--state-dir", Path.Combine(own, "state"), "--mount-root", Path.Combine(own, "mnt"), "--data-root", DataRoot, "--host-name", host,
            "--database", _server.ConnectionString(Database, throughProxy), "--lease", $"{lease.TotalSeconds}s", .. alone ? ["--reconcile-interval", "24d"] : Array.Empty<string>(),
        ], "Joined the cluster");
    }

    internal async Task<ServerProcess> StartAndAwaitAsync(string host, TimeSpan lease, bool throughProxy = false, bool alone = false)
    {
        var server = Start(host, lease, throughProxy, alone);
        await server.ReadyAsync();
        await server.FirstAnswerAsync(EngineRequest.Activate());
        return server;
    }

    /// <summary>Also the mounts of all hosts, and the database.</summary>
    internal async Task DeleteAsync()
    {
        ScratchFolder.Delete(_root);
        await _server.ExecuteAsync($"DROP DATABASE {Database} WITH (FORCE)");
    }

    async Task MigrateAsync()
    {
        var start = new ProcessStartInfo(_run.Options.Volman, ["migrate", "--database", _server.ConnectionString(Database, throughProxy: false)]);
        ServerProcess.ClearSettings(start);
        var migrate = await Command.RunAsync(start, TimeSpan.FromMinutes(2));
        if (!migrate.Succeeded)
            throw new BenchmarkException($"volman migrate ended with code {migrate.ExitCode}: {migrate.Output}{migrate.Errors}");
    }
}
