using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;
using VolumeManager.EndToEnd.Machines;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>Whether the hosts of a cluster share one catalog and one data root, or each has its own.</summary>
internal enum Shares
{
    Nothing,
    CatalogAndData,
}

/// <summary>
/// Three hosts on one network. They share a data root, which is the same folder at the same path on each,
/// and a PostgreSQL, to which each has a socket of its own.
/// </summary>
internal sealed class Cluster : IAsyncDisposable
{
    const int Size = 3;

    readonly EngineKind _kind;
    readonly Shares _shares;
    readonly string? _earlier;
    readonly MachineFolder _folder = new();
    readonly Network _network;
    readonly Lazy<Task<Swarm>> _swarm;
    readonly Node?[] _nodes = new Node?[Size];

    Cluster(EngineKind kind, Shares shares, string? earlier, Network network, SharedCatalog catalog)
    {
        (_kind, _shares, _earlier, _network, Catalog) = (kind, shares, earlier, network, catalog);
        _swarm = new(() => Swarm.FormAsync(Nodes));
        Directory.CreateDirectory(DataRoot);
    }

    public IReadOnlyList<Node> Nodes => [.. _nodes.OfType<Node>()];
    public SharedCatalog Catalog { get; }

    /// <summary>The data of all hosts, if they share it.</summary>
    public string DataRoot => _folder["volumes"];

    /// <summary>The directories that volumes have in the shared data root; not the trash.</summary>
    public IEnumerable<string> VolumeDirectories =>
        Directory.EnumerateDirectories(DataRoot).Select(path => Path.GetFileName(path)).Where(name => name[0] != '.');

    /// <param name="earlier">The program of an earlier release, which the cluster begins with.</param>
    public static async Task<Cluster> StartAsync(EngineKind kind, Shares shares, string? earlier = null)
    {
        var cluster = new Cluster(kind, shares, earlier, await Network.StartAsync(), await SharedCatalog.StartAsync(earlier));
        try
        {
            await Task.WhenAll(Enumerable.Range(1, Size).Select(cluster.StartNodeAsync));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The engines' swarm. It comes to be when first asked for, and every node of it can be given tasks.</summary>
    public async Task<Swarm> SwarmAsync()
    {
        var swarm = await _swarm.Value;
        await swarm.ReadyAsync();
        return swarm;
    }

    public bool HasSwarm => _swarm.IsValueCreated;

    public async Task<int> MountRowsAsync() => _shares == Shares.CatalogAndData
        ? await Catalog.MountRowsAsync()
        : (await Task.WhenAll(Nodes.Select(node => node.Daemon.Catalog.MountRowsAsync()))).Sum();

    /// <summary>The catalog and the swarm, for people who look into a failure.</summary>
    public async Task<string> DumpAsync() =>
        (_shares == Shares.CatalogAndData ? await Catalog.DumpAsync() : "") + (HasSwarm ? $"\nSwarm:\n{await (await _swarm.Value).DumpAsync()}" : "");

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Nodes.Select(node => node.DisposeAsync().AsTask()));
        await Catalog.DisposeAsync();
        _network.Dispose();
        _folder.Dispose();
    }

    async Task StartNodeAsync(int number)
    {
        var name = $"host{number}";
        var proxy = await PostgresProxy.StartAsync(Catalog.Server.Socket);
        var settings = _shares == Shares.CatalogAndData
            ? new DaemonSettings(name, DataRoot, Catalog.ConnectionString(proxy), _earlier)
            : new DaemonSettings(name, Earlier: _earlier);
        var cable = new Cable(_network, number);
        var host = await Host.StartAsync(_kind, recorded: false, place: new HostPlace(settings, cable, [DataRoot, proxy.SocketDirectory]));
        _nodes[number - 1] = new Node(name, host, cable, proxy);
    }
}
