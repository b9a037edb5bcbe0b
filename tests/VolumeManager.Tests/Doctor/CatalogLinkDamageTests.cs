using VolumeManager.Catalog;
using VolumeManager.Tests.Clusters;

namespace VolumeManager.Tests.Doctor;

/// <summary>What can be wrong between a host and the shared catalog.</summary>
[Trait("Catalog", "postgres")]
public sealed class CatalogLinkDamageTests
{
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
        // Longer than a heartbeat with its 1,100 refused events takes on a busy machine.
        cluster[0].Settings = cluster[0].Settings with { Lease = TimeSpan.FromSeconds(8) };
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
        await Poll.UntilAsync("all are told", () => cluster.ScalarAsync<bool>("SELECT count(*) = 1103 FROM events WHERE caller_id = 'kept'"));
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
}
