using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>A host is evicted that serves an export, or uses one.</summary>
[Trait("Catalog", "postgres")]
public sealed class ExportEvictionTests : ServingCluster
{
    [Fact]
    public async Task A_serving_host_is_evicted_only_on_the_word_that_it_is_off()
    {
        await StartAsync(2);
        await Cluster.CutAsync(0);
        await Cluster.ExpireLeaseAsync(0, "31 seconds");
        await using var database = new PostgresDatabase(Cluster.Server.ConnectionString(Cluster.Database), "test");
        var refused = await Assert.ThrowsAsync<VolumeException>(() => Eviction.EvictAsync(database, "host-0", "tester", force: false));
        Assert.Matches("serves served.invalid:/e itself, and its containers cannot be shut out", refused.Message);
        Assert.Equal(0, (await Eviction.EvictAsync(database, "host-0", "tester", force: true)).Mounts);
    }

    [Fact]
    public async Task What_an_evicted_host_had_for_itself_waits_until_it_is_shut_out()
    {
        await StartAsync(3);
        Assert.Equal("", await Server.Engine.CreateAsync("v", Single));
        await LoseHolderAsync(1, "v");
        Exportfs.IsBroken = true;
        await using var database = new PostgresDatabase(Cluster.Server.ConnectionString(Cluster.Database), "test");
        var evicting = Eviction.EvictAsync(database, "host-1", "tester", force: false);
        await Poll.UntilAsync("it is evicted", async () => await Cluster.ScalarAsync<string>("SELECT state FROM hosts WHERE name = 'host-1'") == "evicted");
        var mounting = Server.Engine.MountAsync("v", "x");
        Assert.Equal("192.0.2.1 192.0.2.2", Exportfs.Clients);
        Assert.Equal("", await Server.MountRowsAsync("v"));
        Exportfs.IsBroken = false;
        Assert.Equal("", await mounting);
        Assert.Equal([new Fencing.Closed("served.invalid:/e", "host-0", true)], (await evicting).Exports);
        Assert.Equal("192.0.2.2", Exportfs.Clients);
    }

    [Fact]
    public async Task A_live_host_that_is_evicted_is_shut_out_and_let_in_again_when_it_comes_back_at_once()
    {
        await StartAsync(2);
        var before = await FsidAsync(1);
        await using var database = new PostgresDatabase(Cluster.Server.ConnectionString(Cluster.Database), "test");
        Assert.Equal([new Fencing.Closed("served.invalid:/e", "host-0", false)], (await Eviction.EvictAsync(database, "host-1", "tester", force: true, dryRun: true)).Exports);
        Assert.Equal(("192.0.2.1", before), (Exportfs.Clients, await FsidAsync(1)));
        var evicted = await Eviction.EvictAsync(database, "host-1", "tester", force: true);
        Assert.Equal([new Fencing.Closed("served.invalid:/e", "host-0", true)], evicted.Exports);
        await Poll.UntilAsync("it is let in again under another fsid", async () => Exportfs.Clients == "192.0.2.1" && await FsidAsync(1) != before);
    }
}
