using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>Tests of a cluster whose first host serves a directory to the others.</summary>
public abstract class ServingCluster : IAsyncLifetime, IAsyncDisposable
{
    private protected static Dictionary<string, string> Single { get; } = new() { ["access"] = "single-host" };

    private protected ExportfsStandIn Exportfs { get; } = new();
    private protected string Served => _served.FullPath;
    readonly ScratchFolder _served = new();
    TestCluster? _cluster;

    private protected TestCluster Cluster => _cluster!;

    private protected TestHost Server => Cluster[0];

    /// <param name="impatient">For a test in which somebody is not shut out in time.</param>
    private protected async Task StartAsync(int hosts, bool impatient = false)
    {
        _cluster = await TestCluster.StartNewAsync(hosts, start: false);
        for (var i = 0; i < hosts; i++)
        {
            Cluster[i].Settings = Cluster[i].Settings with { Backend = "nfs", NfsServer = "served.invalid", NfsExport = "/e", Address = $"192.0.2.{i}" };
            if (impatient) Cluster[i].Settings = Cluster[i].Settings with { Timings = TestTimings.CurrentImpatient };
            if (i == 0) Cluster[i].Settings = Cluster[i].Settings with { ExportDirectory = Served, ExportPlaces = Exportfs.Places };
            await Cluster[i].StartAsync();
        }

        await LetInAsync(string.Join(' ', Enumerable.Range(1, hosts - 1).Select(i => $"192.0.2.{i}")));
    }

    private protected Task LetInAsync(string clients) => Poll.UntilAsync($"the clients are {clients}", () => Exportfs.Clients == clients);

    /// <summary>A host holds a volume for itself, is cut off, and its lease and grace run out. By rows: here it cannot mount NFS.</summary>
    private protected async Task LoseHolderAsync(int host, string volume)
    {
        await Cluster.CutAsync(host);
        Assert.Equal(3, await Cluster.ExecuteAsync($"""
            UPDATE catalog SET revision = revision + 1;
            INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch)
            SELECT v.id, h.id, 'theirs', 1, 'b', 1, now(), v.epoch FROM volumes v, hosts h WHERE v.name = '{volume}' AND h.name = 'host-{host}';
            UPDATE volumes SET revision = (SELECT revision FROM catalog), provisioned_at = now() WHERE name = '{volume}'
            """));
        await Cluster.ExpireLeaseAsync(host, "31 seconds");
    }

    private protected Task<string?> FsidAsync(int host) => Cluster.ScalarAsync<string>($"SELECT fsid::text FROM export_clients c JOIN hosts h ON h.id = c.host_id WHERE h.name = 'host-{host}'");

    // The test framework calls this one, and not the other.
    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public Task InitializeAsync() => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null) await _cluster.DisposeAsync();
        Exportfs.Dispose();
        _served.Dispose();
        GC.SuppressFinalize(this);
    }
}
