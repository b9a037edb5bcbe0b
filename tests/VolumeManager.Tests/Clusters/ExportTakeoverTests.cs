namespace VolumeManager.Tests.Clusters;

/// <summary>A volume on an export that a host serves is taken over: its old holder is shut out first.</summary>
[Trait("Catalog", "postgres")]
public sealed class ExportTakeoverTests : ServingCluster
{
    [Fact]
    public async Task A_takeover_waits_until_the_old_holder_is_shut_out_and_that_one_comes_back_under_another_fsid()
    {
        await StartAsync(3, impatient: true);
        Assert.Equal("", await Server.Engine.CreateAsync("v", Single));
        await LoseHolderAsync(1, "v");
        var (ctl, others) = (Exportfs.Connect(1, "192.0.2.1"), Exportfs.Connect(2, "192.0.2.2"));
        var before = await FsidAsync(1);

        Exportfs.IsBroken = true;
        Assert.Matches("^volume v cannot be mounted yet, for host host-1 may still write to served.invalid:/e: see to volman on host host-0, which has to shut it out$", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("theirs=1", await Server.MountRowsAsync("v"));
        Assert.Equal("192.0.2.1 192.0.2.2", Exportfs.Clients);
        // The database sees the order without any clock: a takeover before the withdrawal is an error.
        await Cluster.ExecuteAsync("""
            CREATE FUNCTION too_early() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF EXISTS (SELECT 1 FROM export_clients c JOIN hosts h ON h.id = c.host_id WHERE h.name = 'host-1' AND c.withdrawn_at IS NULL) THEN RAISE 'taken over too early'; END IF;
                RETURN NEW;
            END $$;
            CREATE TRIGGER too_early BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.kind = 'takeover') EXECUTE FUNCTION too_early()
            """);
        Exportfs.IsBroken = false;

        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal(1, await Cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'takeover'"));
        Assert.Equal("x=1", await Server.MountRowsAsync("v"));
        Assert.Equal("192.0.2.2", Exportfs.Clients);
        Assert.DoesNotContain("192.0.2.1", await File.ReadAllTextAsync(Exportfs.Places.File), StringComparison.Ordinal);
        Assert.Equal("expire\n", await File.ReadAllTextAsync(ctl));
        Assert.Equal("", await File.ReadAllTextAsync(others));

        await Cluster.HealAsync(1);
        await LetInAsync("192.0.2.1 192.0.2.2");
        Assert.NotEqual(before, await FsidAsync(1));
    }

    [Fact]
    public async Task A_withdrawal_is_made_sure_of_even_when_the_table_says_that_there_is_nothing_to_withdraw()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v", Single));
        await LoseHolderAsync(1, "v");
        await File.WriteAllTextAsync(Exportfs.Places.Table, "");
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        Assert.NotEqual(0, Exportfs.Calls($"-u 192.0.2.1:{Served}"));
        Assert.NotEqual(0, Exportfs.Calls("-f"));
    }

    [Fact]
    public async Task A_host_that_came_back_before_it_was_shut_out_is_spared()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v", Single));
        await LoseHolderAsync(1, "v");
        Exportfs.IsBroken = true;
        var mounting = Server.Engine.MountAsync("v", "x");
        await Poll.UntilAsync("it is asked", () => Cluster.ScalarAsync<bool>("SELECT count(*) = 1 FROM export_clients WHERE withdraw_asked_at IS NOT NULL"));
        var before = await FsidAsync(1);
        await Cluster.ExecuteAsync("UPDATE hosts SET lease_expires_at = now() + interval '1 hour', state = 'live' WHERE name = 'host-1'");
        Assert.Matches("is mounted by host host-1", await mounting);
        await Poll.UntilAsync("the withdrawal is cancelled", () => Cluster.ScalarAsync<bool>("SELECT count(*) = 0 FROM export_clients WHERE withdraw_asked_at IS NOT NULL"));
        Exportfs.IsBroken = false;
        Assert.Equal("192.0.2.1", Exportfs.Clients);
        Assert.Equal(before, await FsidAsync(1));
    }

    [Fact]
    public async Task A_holder_that_was_never_let_in_may_have_come_in_another_way()
    {
        await StartAsync(2, impatient: true);
        Assert.Equal("", await Server.Engine.CreateAsync("v", Single));
        await LoseHolderAsync(1, "v");
        await Cluster.ExecuteAsync("UPDATE hosts SET address = NULL WHERE name = 'host-1'; DELETE FROM export_clients");
        Exportfs.Export(Served, "192.0.2.0/24");
        Assert.Matches("cannot be mounted yet, for host host-1 may still write", await Server.Engine.MountAsync("v", "x"));
        // It is live again with an address, and nothing was taken from it.
        await Cluster.ExecuteAsync("UPDATE hosts SET address = '192.0.2.1', lease_expires_at = now() + interval '1 hour', state = 'live' WHERE name = 'host-1'");
        await File.WriteAllTextAsync(Exportfs.Places.Table, "");
        await LetInAsync("192.0.2.1");
        await Cluster.ExpireLeaseAsync(1, "31 seconds");
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("", Exportfs.Clients);
    }

    [Fact]
    public async Task A_host_that_is_only_lost_keeps_what_it_has_open()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v"));
        await LoseHolderAsync(1, "v");
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("192.0.2.1", Exportfs.Clients);
        var before = await FsidAsync(1);
        await Cluster.HealAsync(1);
        Assert.Equal(before, await FsidAsync(1));
    }

    [Fact]
    public async Task Nobody_is_said_to_be_shut_out_who_can_come_in_another_way()
    {
        await StartAsync(2, impatient: true);
        Assert.Equal("", await Server.Engine.CreateAsync("v", Single));
        await LoseHolderAsync(1, "v");
        Exportfs.Export(Served, "*");
        Assert.Matches("cannot be mounted yet, for host host-1 may still write", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("theirs=1", await Server.MountRowsAsync("v"));
    }

    [Fact]
    public async Task What_the_serving_host_holds_itself_is_not_taken_from_it()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v", Single));
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        await Cluster.CutAsync(0);
        await Cluster.ExpireLeaseAsync(0, "31 seconds");
        Assert.Matches("is mounted by host host-0 .*volman host evict host-0", await Cluster[1].Engine.MountAsync("v", "y"));
        Assert.Equal("x=1", await Cluster[1].MountRowsAsync("v"));
    }
}
