using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Simulation;

/// <summary>Five hosts over one PostgreSQL and one data directory. They live on from schedule to schedule: each has volumes of its own names.</summary>
internal sealed class SimulatedCluster : IAsyncDisposable
{
    const int Size = 5;

    /// <summary>The file in each volume that tells whose data it is: the volume's id.</summary>
    public const string Marker = "marker";

    /// <summary>Longer than any schedule: a volume is taken over after <see cref="Verb.Expire"/> only.</summary>
    static readonly TimeSpan s_grace = TimeSpan.FromMinutes(10);

    readonly MachineFolder _folder = new();
    readonly SharedCatalog _catalog;

    SimulatedCluster(SharedCatalog catalog) => _catalog = catalog;

    public IReadOnlyList<SimulatedHost> Hosts { get; private set; } = [];

    /// <summary>How many schedules it has seen.</summary>
    public int Schedules { get; private set; }

    public string DataRoot => _folder["volumes"];

    public static async Task<SimulatedCluster> StartNewAsync()
    {
        var cluster = new SimulatedCluster(await SharedCatalog.StartAsync());
        try
        {
            Directory.CreateDirectory(cluster.DataRoot);
            cluster.Hosts = await Task.WhenAll(Enumerable.Range(0, Size).Select(i =>
                SimulatedHost.StartNewAsync($"host{i}", cluster._catalog.Server.Socket, cluster._catalog.ConnectionString, cluster.DataRoot, s_grace)));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>What the names of the next schedule's volumes begin with.</summary>
    public string NextPrefix() => $"s{++Schedules}-";

    public Task<Observation> ObserveAsync(string prefix) => Observation.OfAsync(_catalog.ReadAsync, prefix, s_grace);

    public async Task ExpireAsync(SimulatedHost host)
    {
        await _catalog.ReadAsync($"UPDATE hosts SET lease_expires_at = now() - interval '1 hour' WHERE name = '{host.Name}' RETURNING name");
        host.Expired();
    }

    /// <summary>The Mounts and Unmounts that the history has of a host, in its order, each as verb, volume and caller.</summary>
    public async Task<string[]> HistoryAsync(SimulatedHost host, string prefix) => (await _catalog.ReadAsync($"""
        SELECT string_agg(initcap(kind) || ' ' || volume_name || ' ' || caller_id, ',' ORDER BY id) FROM events
        WHERE host = '{host.Name}' AND volume_name LIKE '{prefix}%' AND kind IN ('mount', 'unmount') AND error IS NULL
        """) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries);

    public string DataOf(string volume) => Path.Combine(DataRoot, volume);

    /// <summary>Whose data lies at a volume's place; null when no marker is there.</summary>
    public Guid? DataAt(string volume)
    {
        var marker = Path.Combine(DataOf(volume), Marker);
        return File.Exists(marker) ? Guid.Parse(File.ReadAllText(marker)) : null;
    }

    /// <summary>For people who look into a failure.</summary>
    public async Task<string> DumpAsync() => $"{await _catalog.DumpAsync()}\n"
        + string.Join('\n', Hosts.Select(host => $"{host.Name}: {string.Join(' ', host.KernelMounts())}\n  {string.Join("\n  ", host.Log.TakeLast(25))}"));

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Hosts.Select(host => host.DisposeAsync().AsTask()));
        await _catalog.DisposeAsync();
        _folder.Dispose();
    }
}
