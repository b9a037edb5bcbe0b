using System.Net.Sockets;
using System.Text.Json;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Machines;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.EndToEnd.Simulation;

/// <summary>A machine with `volman serve` and nothing else: the simulation is its engine. Its way to the database is its own.</summary>
internal sealed class SimulatedHost : IAsyncDisposable
{
    // For a start on a busy machine. No test judges how long it takes.
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    readonly MachineFolder _folder = new();
    readonly Machine _machine;
    readonly PostgresProxy _proxy;
    readonly IReadOnlyList<string> _serve;
    readonly PluginClient _plugin;
    readonly List<string> _earlierLog = [];
    RunningProgram? _daemon;

    SimulatedHost(string name, PostgresProxy proxy, string database, string dataRoot, TimeSpan grace)
    {
        (Name, _proxy) = (name, proxy);
        _machine = new Machine(_folder, "/", name, []);
        _serve =
        [
            DaemonBinary.Path, "serve", "--socket", Socket, "--admin-socket", _folder["admin.sock"], "--state-dir", _folder["state"], "--mount-root", MountRoot, "--data-root", dataRoot, "--host-name", name,
            "--database", database, "--lease", "3s", "--takeover-grace", $"{grace.TotalSeconds}s", "--reconcile-interval", "1s",
        ];
        _plugin = new PluginClient(Socket);
    }

    public string Name { get; }
    public bool IsOn => _machine.Init != 0;
    public bool IsServing => _daemon is not null;
    public bool IsCut { get; private set; }

    /// <summary>The host has done its part again if it has told the catalog all that it knows later than this.</summary>
    public DateTime UnsettledSince { get; private set; }

    public IEnumerable<string> Log => [.. _earlierLog, .. _daemon?.Log ?? []];

    string Socket => Path.Combine(_folder.Plugins, "volman.sock");
    string MountRoot => _folder["mnt"];

    public static async Task<SimulatedHost> StartNewAsync(string name, string serverSocket, Func<PostgresProxy, string> database, string dataRoot, TimeSpan grace)
    {
        var proxy = await PostgresProxy.StartAsync(serverSocket);
        var host = new SimulatedHost(name, proxy, database(proxy), dataRoot, grace);
        await host.StartAsync();
        return host;
    }

    /// <summary>Boots the machine if it is off, and waits until the daemon answers.</summary>
    public async Task StartAsync()
    {
        UnsettledSince = DateTime.UtcNow;
        if (!IsOn)
            await _machine.BootAsync();
        _daemon = await _machine.StartAsync("volman", _serve, $"DOTNET_ROOT={DaemonBinary.DotnetRoot}", "DOTNET_gcServer=0");
        await _daemon.UntilAsync("answers", async () => (await CallAsync("List", new { })).Outcome == Outcome.Done, s_patience);
    }

    public async Task KillAsync()
    {
        _earlierLog.AddRange(_daemon!.Log);
        await _daemon.KillAsync();
        _daemon.Dispose();
        _daemon = null;
    }

    public async Task CutPowerAsync()
    {
        _earlierLog.AddRange(_daemon?.Log ?? []);
        await _machine.PowerOffAsync();
        _daemon?.Dispose();
        _daemon = null;
    }

    public void Cut()
    {
        IsCut = true;
        _proxy.Cut();
    }

    public void Heal()
    {
        UnsettledSince = DateTime.UtcNow;
        _proxy.Heal();
        IsCut = false;
    }

    /// <summary>Its lease is over; if it lives, it has to notice that and join anew.</summary>
    public void Expired() => UnsettledSince = DateTime.UtcNow;

    public void SetDelay(int milliseconds) => _proxy.Delay = TimeSpan.FromMilliseconds(milliseconds);

    public void CheckAlive()
    {
        if (_daemon is { HasExited: true })
            Assert.Fail($"{Name}: volman ended by itself");
    }

    public async Task<Answer> CallAsync(string verb, object request)
    {
        try
        {
            var reply = await _plugin.CallAsync(verb, request);
            return reply.Aborted ? new Answer(Outcome.None) : reply.Err is { Length: > 0 } text ? new Answer(Outcome.Refused, text) : new Answer(Outcome.Done);
        }
        catch (Exception e) when (e is SocketException or JsonException)
        {
            return new Answer(Outcome.None);
        }
    }

    /// <summary>The names that the kernel has mounted, one twice if it is mounted twice.</summary>
    public IReadOnlyList<string> KernelMounts() => IsOn ? [.. _machine.MountsBelow(MountRoot).Select(path => path[(MountRoot.Length + 1)..])] : [];

    /// <summary>A file as the machine's containers would see it in a volume that is mounted there; null if it is not there.</summary>
    public string? Read(string volume, string file)
    {
        var path = $"/proc/{_machine.Init}/root{MountRoot}/{volume}/{file}";
        return File.Exists(path) ? File.ReadAllText(path) : null;
    }

    /// <summary>Mounts and untold events that its ledger has; empty when there is nothing.</summary>
    public async Task<string> LedgerAsync() => (await Command.RunAsync(s_patience, "sqlite3", "-cmd", ".timeout 5000", Path.Combine(_folder["state"], "ledger.db"),
        "SELECT 'mount', v.name, m.caller_id, m.count FROM mounts m JOIN volumes v ON v.id = m.volume_id; SELECT 'event', kind, volume_name, caller_id FROM events")).MustSucceed().Output;

    public async ValueTask DisposeAsync()
    {
        await _machine.PowerOffAsync();
        _daemon?.Dispose();
        await _proxy.DisposeAsync();
        await _machine.DisposeAsync();
    }
}
