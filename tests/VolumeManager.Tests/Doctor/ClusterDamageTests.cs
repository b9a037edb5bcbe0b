using VolumeManager.Catalog;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Mounts;

namespace VolumeManager.Tests.Doctor;

/// <summary>What can be wrong between the hosts of a cluster.</summary>
public sealed class ClusterDamageTests
{
    [Fact]
    public async Task A_host_that_is_lost_for_long_is_told_with_what_it_holds()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        // The hosts of this cluster share one kernel, where the one would take the mount of the other for a container of its own.
        await cluster[1].StopAsync();
        cluster[1].UnmountAll();
        await cluster.ExpireLeaseAsync(1);
        await cluster[0].TellsAsync("host-lost", "warning", "and holds 1 mounts; while it may come back what is in the trash stays there", "volman host evict host-1");
    }

    [Fact]
    public async Task Several_versions_are_told()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster.ExecuteAsync("UPDATE hosts SET version = '0.1.9' WHERE name = 'host-1'");
        await cluster[0].TellsAsync("versions-differ", "warning", $"several versions of volman: 0.1.9 on host-1; {ProgramVersion.Text} on host-0", "install the same version on all");
    }

    [Fact]
    public async Task A_catalog_that_is_away_is_told_once()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster[0].TellsAsync("catalog-away", "error", "this host is out of touch with the catalog since", "see to the database and the way to it");
        await cluster.HealAsync(0);
        Assert.Empty(await cluster[0].DiagnoseAsync());
    }

    [Fact]
    public async Task Events_that_the_database_refuses_keep_no_host_out_and_are_told_when_they_are_many()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        cluster[0].Settings = cluster[0].Settings with { Lease = TimeSpan.FromSeconds(3) };
        await cluster[0].StartAsync();
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await cluster.ExecuteAsync("""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no such events here'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.detail = 'refused') EXECUTE FUNCTION refuse();
            """);
        await KeepAsync(500, "refused");
        await KeepAsync(3, "taken");
        await Task.Delay(cluster[0].Settings.Lease);
        // The few that it would take wait behind those that it refuses, and the host is a member as it was.
        Assert.Empty(await cluster[0].DiagnoseAsync());
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await KeepAsync(600, "refused");
        await cluster[0].TellsAsync("events-untold", "warning", $"the catalog has not heard 1103 events of this host although it is in touch", "see volman's log for what the database refuses");

        await cluster.ExecuteAsync("DROP TRIGGER refuse ON events");
        await TestHost.EventuallyAsync(() => cluster.ScalarAsync<bool>("SELECT count(*) = 1103 FROM events WHERE caller_id = 'kept'"), "all are told");
        Assert.Empty(await cluster[0].DiagnoseAsync());

        // As after a long outage.
        async Task KeepAsync(int events, string detail)
        {
            await using var ledger = cluster[0].OpenLedger();
            for (var i = 0; i < events; i++) ledger.Events.Add(new Event { Operation = Guid.NewGuid(), At = DateTime.UtcNow, Host = "host-0", Kind = EventKind.Attach, VolumeName = "v", CallerId = "kept", Detail = detail });
            await ledger.SaveChangesAsync();
        }
    }

    [Fact]
    public async Task A_few_events_that_the_database_refuses_do_not_keep_the_others_from_being_told()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        cluster[0].Settings = cluster[0].Settings with { Lease = TimeSpan.FromSeconds(3) };
        await cluster[0].StartAsync();
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await cluster.ExecuteAsync("ALTER TABLE events ADD CONSTRAINT short CHECK (length(caller_id) < 100) NOT VALID");
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", new string('x', 200)));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "y"));
        await cluster.HealAsync(0);
        Assert.Empty(await cluster[0].DiagnoseAsync());
        Assert.Equal(["attach", "create", "mount"], (await cluster[0].EventsAsync("v")).Order(StringComparer.Ordinal));
        Assert.Equal(2, (await cluster[0].MountRowsAsync("v")).Split(' ').Length);
    }

    [Fact]
    public async Task A_lease_that_is_not_renewed_is_told_before_it_ends()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        cluster[0].Settings = cluster[0].Settings with { Lease = TimeSpan.FromMinutes(5) };
        await cluster[0].StartAsync();
        Assert.Empty(await cluster[0].DiagnoseAsync());
        await cluster.ExecuteAsync("UPDATE hosts SET lease_expires_at = now() + interval '50 s'");
        var short_ = await cluster[0].FindOneAsync("lease-short", "warning");
        Assert.Contains("s of 300 s: two renewals at least have failed", short_.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Volumes_in_another_data_root_are_told()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("here"));
        await cluster.ExecuteAsync("""
            INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, provisioned_at, revision)
            SELECT gen_random_uuid(), 'there', backend, server, 'another-root', 'there', adopted, access, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, now(), revision + 1 FROM volumes;
            UPDATE catalog SET revision = revision + 1;
            """);
        await cluster[0].TellsAsync("data-root-other", "warning", "1 volumes of the cluster, such as there, lie in another data root", "mount the cluster's shared directory there");
    }

    [Fact]
    public async Task A_volume_that_another_host_has_taken_is_told_while_a_container_has_it_and_then_let_go_of()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", new Dictionary<string, string> { ["access"] = "single-host" }));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster[1].Engine.ListAsync();
        await using (await HoldingProcess.StartAsync(cluster[0].TargetOf("v"), cluster[0].Settings.StateDirectory + "/inside"))
        {
            await cluster.CutAsync(0);
            await cluster.ExpireLeaseAsync(0, "31 seconds");
            Assert.Equal("", await cluster[1].Engine.MountAsync("v", "y"));
            await cluster.HealAsync(0);
            await TestHost.EventuallyAsync(() => Task.FromResult(cluster[0].KernelMounts().Count == 0), "it is mounted for nobody new here");
            // The hosts of this cluster share one kernel, where the mount of the other looks like a container's.
            await cluster[1].StopAsync();
            cluster[1].UnmountAll();
            await cluster[0].TellsAsync("volume-taken", "error", "another host has taken volume v while this one was lost, and containers of this host may still use it", "stop the containers of this host that use it");
        }

        // An Unmount that never came.
        await cluster[0].HealsAsync("volume-taken", "error", "another host has taken volume v while this one was lost, and its claims of this host were never taken back", "drops these claims, for no container uses the volume");
        Assert.Equal("y=1", await cluster[0].MountRowsAsync("v"));
        Assert.Contains("reclaim", await cluster[0].EventsAsync("v"));
        await using var ledger = cluster[0].OpenLedger();
        Assert.Empty(ledger.Mounts);
    }

    [Fact]
    public async Task A_volume_that_was_removed_elsewhere_while_it_is_used_here_is_told_until_it_is_not()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await File.WriteAllTextAsync(cluster[0].TargetOf("v") + "/f", "data");
        await cluster.RemoveElsewhereAsync("v");
        await cluster.HealAsync(0);
        await using (await HoldingProcess.StartAsync(cluster[0].TargetOf("v"), cluster[0].Settings.StateDirectory + "/inside"))
        {
            await cluster[0].TellsAsync("volume-removed", "error", "volume v was removed on another host while containers of this host use it", "then restore the volume with volman volume restore");
            Assert.Equal("data", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));
            Assert.Equal("x=1", await cluster[0].MountRowsAsync("v"));
        }

        // What it says is to be done.
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        using var asks = OperatorClient.Of(cluster[0]);
        Assert.Equal("", (await asks.RestoreAsync("v")).Detail);
        Assert.Empty(await cluster[0].DiagnoseAsync());
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Equal("data", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));
    }

    [FakeTimeTheory]
    [InlineData(-90, "behind")]
    [InlineData(90, "ahead of")]
    public async Task A_wrong_clock_is_told(int seconds, string how)
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        await using var daemon = await DaemonProcess.StartAsync(cluster[0], TimeSpan.FromSeconds(seconds));
        var found = await cluster[0].FindOneAsync("clock-skew", "warning");
        Assert.Matches($"the clock of this host is (89|90).[0-9] s {how} the database's", found.Problem);
    }
}
