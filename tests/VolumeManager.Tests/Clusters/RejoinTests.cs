using VolumeManager.Catalog;
using VolumeManager.Mounts;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>A host whose lease ran out takes part again.</summary>
[Trait("Catalog", "postgres")]
public sealed class RejoinTests
{
    static readonly Dictionary<string, string> s_single = new() { ["access"] = "single-host" };

    [Fact]
    public async Task A_lease_that_ran_out_while_the_daemon_stood_still_makes_it_join_anew_before_it_hands_out_anything()
    {
        await using var cluster = await TestCluster.StartNewAsync(2, start: false);
        foreach (var host in cluster.Hosts)
        {
            host.Settings = host.Settings with { Lease = TimeSpan.FromSeconds(3), TakeoverGrace = TimeSpan.Zero };
        }

        await cluster[1].StartAsync();
        using var daemon = await DaemonProcess.StartAsync(cluster[0]);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", s_single));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        daemon.Signal(ProcessTable.SIGSTOP);
        await Poll.UntilAsync("another host marks it as lost", () => cluster.ScalarAsync<bool>("SELECT state = 'lost' FROM hosts WHERE name = 'host-0'"));
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'host-lost' AND host = 'host-0'"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "y"));
        daemon.Signal(ProcessTable.SIGCONT);
        Assert.NotEqual("", await cluster[0].Engine.MountAsync("v", "z"));
        await Poll.UntilAsync("it has joined anew and gives the volume up", async () => (await cluster[0].EventsAsync("v")).Contains("give-up"));
        Assert.Equal("y=1", await cluster[0].MountRowsAsync("v"));
    }

    [Theory]
    [InlineData("UPDATE hosts SET lease_expires_at = now() - interval '1 hour' WHERE name = 'host-0'")]
    [InlineData("UPDATE hosts SET state = 'evicted', instance_id = NULL WHERE name = 'host-0'")]
    public async Task A_host_that_has_not_noticed_that_it_is_lost_changes_nothing_before_it_has_joined_anew(string lost)
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        foreach (var name in new[] { "v", "w" }) Assert.Equal("", await cluster[0].Engine.CreateAsync(name, s_single));
        await cluster[0].Engine.ListAsync();
        var instance = await cluster.ScalarAsync<Guid>("SELECT instance_id FROM hosts");
        await cluster.ExecuteAsync(lost);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Equal("x=1", await cluster[0].MountRowsAsync("v"));
        Assert.True(await cluster.ScalarAsync<bool>($"SELECT state = 'live' AND lease_expires_at > now() AND instance_id > '{instance}' FROM hosts"));

        // What was sent before it joined anew, and arrives only now, does nothing.
        await using var database = new PostgresDatabase(cluster.Server.ConnectionString(cluster.Database), "test");
        var host = await cluster.ScalarAsync<Guid>("SELECT id FROM hosts");
        var late = MountRows.Replace(await cluster.ScalarAsync<Guid>("SELECT id FROM volumes WHERE name = 'v'"), host, [], DateTime.UtcNow);
        await Assert.ThrowsAsync<CatalogAwayException>(() => database.ApplyAsync(late.By(host, instance)));
        Assert.Equal("x=1", await cluster[0].MountRowsAsync("v"));
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM catalog"));
    }

    [Fact]
    public async Task A_host_whose_lease_ran_out_joins_anew_before_it_gets_an_exclusive_volume()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", s_single));
        await cluster.ExpireLeaseAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.True(await cluster.ScalarAsync<bool>("SELECT lease_expires_at > now() FROM hosts WHERE name = 'host-0'"));
        Assert.Matches("is mounted by host host-0", await cluster[1].Engine.MountAsync("v", "y"));
    }

    [Fact]
    public async Task A_rebooted_host_drops_its_old_mounts_and_waits_for_no_lease_after_an_orderly_stop()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", s_single));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster[0].RebootAsync();
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "y"));
        Assert.Equal("y=1", await cluster[0].MountRowsAsync("v"));
    }

    [Fact]
    public async Task A_host_that_lost_power_takes_part_again_when_its_old_lease_is_over()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", s_single));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("shared"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster[0].StopAsync();
        // As if it had not been orderly.
        await cluster.ExecuteAsync("UPDATE hosts SET instance_id = gen_random_uuid(), lease_expires_at = now() + interval '3 seconds'");
        var since = await cluster.ScalarAsync<DateTime>("SELECT now()");
        await cluster[0].RebootAsync();
        Assert.Equal("", await cluster[0].Engine.MountAsync("shared", "y"));
        await cluster.SeenAsync(0, since);
        Assert.Equal("", await cluster[0].MountRowsAsync("v"));
        Assert.Equal("y=1", await cluster[0].MountRowsAsync("shared"));
    }
}
