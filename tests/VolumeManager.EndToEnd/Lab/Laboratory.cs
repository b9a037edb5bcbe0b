using System.Diagnostics;
using VolumeManager.EndToEnd.Daemons;

namespace VolumeManager.EndToEnd.Lab;

/// <summary>
/// Hosts with kernels of their own (tests/lab): h0 serves NFS, h4 PostgreSQL, and h1 to h3 have an engine each, and volman with h0's export as the default.
/// One for all tests, which run one after the other: a host boots in a second, but what runs on it takes longer, and costs processor time for as long as it runs.
/// </summary>
public sealed class Laboratory : IAsyncLifetime
{
    public const string Collection = "laboratory";
    const int Hosts = 5;

    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(6);
    internal static readonly string Script = Path.Combine(DaemonBinary.RepositoryRoot(), "tests", "lab", "lab");

    // A place of its own: another run, or somebody who tries things by hand, may have one.
    readonly string _state = Path.Combine(Path.GetTempPath(), $"volman-lab.{Environment.ProcessId}");
    LabHost[]? _hosts;

    internal static TimeSpan Lease => TimeSpan.FromSeconds(6);
    internal static TimeSpan Grace => TimeSpan.FromSeconds(4);

    /// <summary>A takeover may take that long, and not a second more: what comes on top is renewing, noticing and starting a container.</summary>
    internal static TimeSpan Failover => Lease + Grace + TimeSpan.FromSeconds(5);

    public Task InitializeAsync() => Task.CompletedTask;

    /// <summary>Serves NFS from /srv/export.</summary>
    internal LabHost Server => _hosts![0];

    internal LabHost Database => _hosts![4];

    /// <summary>Hosts with an engine.</summary>
    internal IReadOnlyList<LabHost> Engines => _hosts!.AsSpan(1, 3).ToArray();

    internal async Task<LabScene> SceneAsync(ITestOutputHelper output)
    {
        if (_hosts is not null) return new LabScene(this, output);
        try
        {
            await UpAsync(output);
            return new LabScene(this, output);
        }
        catch
        {
            // Half a laboratory would fail all that comes after.
            await DisposeAsync();
            throw;
        }
    }

    async Task UpAsync(ITestOutputHelper output)
    {
        var scene = new LabScene(this, output);
        // It goes when this process goes, however that ends.
        await RunAsync("up", $"{Hosts}", $"{Environment.ProcessId}");
        _hosts = [.. Enumerable.Range(0, Hosts).Select(i => new LabHost(this, $"h{i}"))];
        scene.Note("hosts are up");
        await Task.WhenAll(ServeNfsAsync(), ServeDatabaseAsync(), Task.WhenAll(Engines.Select(host => host.InstallAsync(DaemonBinary.Path))));
        await Engines[0].MigrateAsync();
        scene.Note("NFS, PostgreSQL and the programs are there");
        await Task.WhenAll(Engines.Select(host => host.StartAllAsync()));
        scene.Note("engines and volman run");
    }

    /// <summary>Makes one swarm of the engines, for a test of services; <see cref="LabScene.EndsCleanAsync"/> ends it. Even one without services takes half a processor to keep.</summary>
    internal async Task FormSwarmAsync()
    {
        await Engines[0].DockerAsync("swarm init --advertise-addr $(hostname -i) --dispatcher-heartbeat 2s");
        var token = await Engines[0].DockerAsync("swarm join-token --quiet worker");
        await Task.WhenAll(Engines.Skip(1).Select(host => host.DockerAsync($"swarm join --token {token} h1:2377")));
        await SwarmReadyAsync();
    }

    internal Task EndSwarmAsync() => Task.WhenAll(Engines.Select(host => host.DockerAsync("swarm leave --force")));

    /// <summary>Every engine can be given tasks, and is known to have the plugin.</summary>
    internal Task SwarmReadyAsync() => Poll.UntilAsync(
        "the swarm is one",
        async () => await Engines[0].DockerAsync("node ls -q | xargs docker node inspect -f '{{.Status.State}} {{json .Description.Engine.Plugins}}' | grep ^ready | grep -c '\"volman\"'") == "3",
        TimeSpan.FromMinutes(1));

    /// <summary>What h0 does after each boot.</summary>
    internal Task ServeNfsAsync() => Server.ShAsync("start-nfs");

    /// <summary>What h4 does after each boot.</summary>
    internal Task ServeDatabaseAsync() => Database.ShAsync("start-postgres; cd /; su postgres -c 'createdb volman' 2>/dev/null || true");

    internal async Task<Command> RunAsync(params IEnumerable<string> arguments) => (await TryAsync(s_patience, arguments)).MustSucceed();

    internal Task<Command> TryAsync(TimeSpan deadline, params IEnumerable<string> arguments) =>
        Command.RunAsync(new ProcessStartInfo(Script, arguments) { Environment = { ["LAB_STATE"] = _state } }, deadline);

    public async Task DisposeAsync()
    {
        if (_hosts is null) return;
        _hosts = null;
        await RunAsync("down");
    }
}

[CollectionDefinition(Laboratory.Collection)]
public sealed class OneLaboratory : ICollectionFixture<Laboratory>;
