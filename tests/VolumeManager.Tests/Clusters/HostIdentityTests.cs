using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>Two machines that say they are the same host.</summary>
[Trait("Catalog", "postgres")]
public sealed class HostIdentityTests
{
    [Fact]
    public async Task A_second_host_of_the_same_name_is_refused_until_the_first_is_evicted()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        var twin = await cluster.AddAsync("host-0", start: false);
        var refusal = await Assert.ThrowsAsync<HostRefusedException>(twin.StartAsync);
        Assert.Matches("^the host name host-0 belongs to another host of this cluster \\(id .*, address .*, last seen .*\\): choose another --host-name or, if that machine is no more, run volman host evict host-0$", refusal.Message);
        await cluster[0].StopAsync();
        await using var database = new PostgresDatabase(cluster.Server.ConnectionString(cluster.Database), "test");
        await Eviction.EvictAsync(database, "host-0", "test", force: false);
        await twin.StartAsync();
        await Assert.ThrowsAsync<HostRefusedException>(cluster[0].StartAsync);
    }

    [Fact]
    public async Task A_copied_state_directory_is_refused_while_its_original_lives()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        cluster[0].Settings = cluster[0].Settings with { Lease = TimeSpan.FromSeconds(3) };
        await cluster[0].StartAsync();
        var copy = await cluster.AddAsync("host-copy", start: false);
        copy.Settings = copy.Settings with { Lease = TimeSpan.FromSeconds(3) };
        Directory.CreateDirectory(copy.Settings.StateDirectory);
        File.Copy(Path.Combine(cluster[0].Settings.StateDirectory, "host-id"), Path.Combine(copy.Settings.StateDirectory, "host-id"));
        // A machine of its own has a boot of its own. It waits for the lease to end, sees it renewed, and knows.
        await copy.StartAsync();
        var refusal = await Assert.ThrowsAsync<HostRefusedException>(() => copy.EndedAsync());
        Assert.Matches("^another volman speaks for this host's id .* \\(name host-0, address .*\\): a state directory must not be copied", refusal.Message);
        Assert.Equal("host-0", await cluster.ScalarAsync<string>("SELECT name FROM hosts"));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
    }
}
