using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>Who is live, who is lost, what may be taken from whom, and who must not take part at all.</summary>
[Trait("Catalog", "postgres")]
public class LeaseTests
{
    static readonly Dictionary<string, string> s_single = new() { ["access"] = "single-host" };
    static readonly Dictionary<string, string> s_caller = new() { ["access"] = "single-caller" };

    [Fact]
    public async Task An_exclusive_volume_goes_to_one_host_and_the_refusal_names_the_holder()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("host", s_single));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("caller", s_caller));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("read", new Dictionary<string, string> { ["access"] = "read-only" }));
        Assert.Equal("", await cluster[0].Engine.MountAsync("host", "x"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("host", "y"));
        Assert.Matches(@"^volume host has access single-host and is mounted by host host-0 \(2 callers since .*\): stop that container first", await cluster[1].Engine.MountAsync("host", "z"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("caller", "x"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("caller", "x"));
        Assert.Matches("^volume caller has access single-caller and is mounted by host host-1", await cluster[1].Engine.MountAsync("caller", "y"));
        Assert.Matches("^volume caller has access single-caller and is mounted by host host-1", await cluster[0].Engine.MountAsync("caller", "x"));
        foreach (var host in cluster.Hosts)
        {
            Assert.Equal("", await host.Engine.MountAsync("read", "r"));
            Assert.Throws<IOException>(() => File.WriteAllText(host.TargetOf("read") + "/f", "x"));
        }
    }

    [Fact]
    public async Task Claims_raced_from_all_hosts_leave_an_exclusive_volume_with_one()
    {
        await using var cluster = await TestCluster.StartNewAsync(4);
        for (var round = 0; round < 10; round++)
        {
            Assert.Equal("", await cluster[0].Engine.CreateAsync($"v{round}", s_single));
            var answers = await Task.WhenAll(cluster.Hosts.Select(host => host.Engine.MountAsync($"v{round}", "x")));
            Assert.Single(answers, answer => answer.Length == 0);
            Assert.Equal(1, await cluster.ScalarAsync<long>($"SELECT count(DISTINCT host_id) FROM mounts JOIN volumes ON id = volume_id WHERE name = 'v{round}'"));
        }
    }

    [Fact]
    public async Task An_exclusive_volume_is_taken_over_after_lease_and_grace_only_and_the_one_who_returns_gives_it_up()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", s_single));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("shared"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("shared", "s"));
        await cluster[1].Engine.ListAsync();
        await cluster.CutAsync(0);

        Assert.Matches("is mounted by host host-0", await cluster[1].Engine.MountAsync("v", "y"));
        // The lease is over, the grace of 30 s is not.
        await cluster.ExpireLeaseAsync(0, "10 seconds");
        Assert.Matches("the host is lost, if it does not come back: volman host evict host-0", await cluster[1].Engine.MountAsync("v", "y"));
        Assert.Equal("lost", (await ClusterTests.StatusAsync(cluster[1].Engine, "v")).GetProperty("Holders")[0].GetProperty("State").GetString());
        await cluster.ExpireLeaseAsync(0, "31 seconds");
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "y"));
        Assert.Equal(2, await cluster.ScalarAsync<long>("SELECT epoch FROM volumes WHERE name = 'v'"));
        Assert.Equal("from host-0, epoch 2", await cluster.ScalarAsync<string>("SELECT detail FROM events WHERE kind = 'takeover' AND volume_name = 'v' AND host = 'host-1'"));
        // What is shared still blocks its removal.
        Assert.Matches("is in use on host host-0 .*volman host evict host-0", await cluster[1].Engine.RemoveAsync("shared"));

        await cluster.HealAsync(0);
        await Poll.UntilAsync("the host says that it gives the volume up", async () => (await cluster[0].EventsAsync("v")).Contains("give-up"));
        Assert.Matches("^volume v was taken over by another host while this one was lost", await cluster[0].Engine.MountAsync("v", "z"));
        Assert.Equal("y=1", await cluster[0].MountRowsAsync("v"));
        var status = await ClusterTests.StatusAsync(cluster[0].Engine, "v");
        Assert.Contains("another host has taken the volume", status.GetProperty("GivenUp").GetString(), StringComparison.Ordinal);
        await Poll.UntilAsync("it is not mounted for anybody here", () => !cluster[0].KernelMounts().Contains("v"));
        Assert.Equal("s=1", await cluster[0].MountRowsAsync("shared"));

        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        Assert.Matches("is mounted by host host-1", await cluster[0].Engine.MountAsync("v", "z"));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "y"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "z"));
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'give-up'"));
    }

    /// <summary>Another host took the volume over and released it, and this host has heard of neither: no mount row is in the way of its claim.</summary>
    [Fact]
    public async Task A_claim_is_refused_when_another_host_took_the_volume_over_and_released_it()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", s_single));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster.ExecuteAsync("DELETE FROM mounts");
        await cluster.ChangeVolumesAsync("epoch = epoch + 1");
        Assert.Equal("volume v was taken over by another host while this one was lost: stop the containers of this host that still use it, then try again", await cluster[0].Engine.MountAsync("v", "y"));
        Assert.Equal("", await cluster[0].MountRowsAsync("v"));
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "y"));
    }

    [Fact]
    public async Task A_host_that_comes_back_does_not_publish_its_claims_of_a_volume_that_another_host_took_over_and_released()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", s_single));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster[1].Engine.ListAsync();
        await cluster.CutAsync(0);
        await cluster.ExpireLeaseAsync(0, "31 seconds");
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "y"));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "y"));

        await cluster.HealAsync(0);
        Assert.Equal("", await cluster[0].MountRowsAsync("v"));
        Assert.Contains("give-up", await cluster[0].EventsAsync("v"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "z"));
        Assert.Matches("^volume v was taken over by another host", await cluster[0].Engine.MountAsync("v", "x"));
    }

    [Fact]
    public async Task An_evicted_host_holds_nothing_and_comes_back_with_what_is_still_its_own()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await using var database = new PostgresDatabase(cluster.Server.ConnectionString(cluster.Database), "test");
        foreach (var (name, options) in new[] { ("single", s_single), ("shared", null), ("removed", null) }) Assert.Equal("", await cluster[0].Engine.CreateAsync(name, options));
        foreach (var name in new[] { "single", "shared", "removed" }) Assert.Equal("", await cluster[0].Engine.MountAsync(name, "x"));
        Assert.Contains("is live", (await Assert.ThrowsAsync<VolumeException>(() => Eviction.EvictAsync(database, "host-0", "test", force: false))).Message, StringComparison.Ordinal);
        Assert.Contains("there is no host nobody", (await Assert.ThrowsAsync<NoSuchHostException>(() => Eviction.EvictAsync(database, "nobody", "test", force: true))).Message, StringComparison.Ordinal);

        await cluster.CutAsync(0);
        await cluster.ExpireLeaseAsync(0, "1 second");
        var evicted = await Eviction.EvictAsync(database, "host-0", "test", force: false);
        Assert.Equal((3, "single"), (evicted.Mounts, Assert.Single(evicted.Exclusive)));
        Assert.Equal("", await cluster[1].Engine.MountAsync("single", "y"));
        await cluster.RemoveElsewhereAsync("removed");

        await cluster.HealAsync(0);
        await Poll.UntilAsync("both are told", async () => (await cluster[0].EventsAsync("single")).Contains("give-up") && (await cluster[0].EventsAsync("removed")).Contains("conflict"));
        Assert.Equal("x=1", await cluster[0].MountRowsAsync("shared"));
        Assert.Equal("y=1", await cluster[0].MountRowsAsync("single"));
        Assert.Equal("live", await cluster.ScalarAsync<string>("SELECT state FROM hosts WHERE name = 'host-0'"));
        foreach (var name in new[] { "single", "shared", "removed" }) Assert.Equal("", await cluster[0].Engine.UnmountAsync(name, "x"));
        Assert.Empty(cluster[0].KernelMounts());
        Assert.Equal(1, await cluster[0].CountMountRowsAsync());
        Assert.Equal(4, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'host-evict'"));
    }
}
