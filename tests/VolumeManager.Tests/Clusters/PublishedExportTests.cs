using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Tests.Doctor;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>A host that serves a directory to the others: whom it lets in, whom it shuts out, and who waits for that. The first host of the cluster is the one.</summary>
public sealed class PublishedExportTests : IAsyncLifetime, IAsyncDisposable
{
    static readonly Dictionary<string, string> s_single = new() { ["access"] = "single-host" };

    readonly ExportfsStandIn _exportfs = new();
    readonly string _directory = Directory.CreateTempSubdirectory("volman-served-").FullName;
    TestCluster? _cluster;

    TestCluster Cluster => _cluster!;

    TestHost Server => Cluster[0];

    async Task StartAsync(int hosts)
    {
        _cluster = await TestCluster.StartNewAsync(hosts, start: false);
        for (var i = 0; i < hosts; i++)
        {
            Cluster[i].Settings = Cluster[i].Settings with { Backend = "nfs", NfsServer = "served.invalid", NfsExport = "/e", Address = $"192.0.2.{i}" };
            if (i == 0) Cluster[i].Settings = Cluster[i].Settings with { ExportDirectory = _directory, ExportPlaces = _exportfs.Places };
            await Cluster[i].StartAsync();
        }

        await LetInAsync(string.Join(' ', Enumerable.Range(1, hosts - 1).Select(i => $"192.0.2.{i}")));
    }

    Task LetInAsync(string clients) => TestHost.EventuallyAsync(() => Task.FromResult(_exportfs.Clients == clients), $"the clients are {clients}");

    /// <summary>A host holds a volume for itself, is cut off, and its lease and grace run out. By rows: here it cannot mount NFS.</summary>
    async Task LoseHolderAsync(int host, string volume)
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

    Task<string?> FsidAsync(int host) => Cluster.ScalarAsync<string>($"SELECT fsid::text FROM export_clients c JOIN hosts h ON h.id = c.host_id WHERE h.name = 'host-{host}'");

    [Fact]
    public async Task Each_live_host_has_a_line_of_its_own_and_the_serving_one_uses_the_directory_itself()
    {
        await StartAsync(3);
        Assert.Equal(
            [.. await Task.WhenAll(new[] { 1, 2 }.Select(async i => $"{_directory} 192.0.2.{i}(rw,sync,no_subtree_check,no_root_squash,fsid={await FsidAsync(i)},anonuid=65534,sec=sys)"))],
            _exportfs.Table);
        Assert.Equal(_exportfs.Table.Select(line => line.Replace(",anonuid=65534,sec=sys", "", StringComparison.Ordinal)), File.ReadAllLines(_exportfs.Places.File).Where(line => !line.StartsWith('#')));
        Assert.NotEqual(await FsidAsync(1), await FsidAsync(2));

        Assert.Equal("", await Server.Engine.CreateAsync("v", new Dictionary<string, string> { ["uid"] = "33" }));
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        await File.WriteAllTextAsync(Server.TargetOf("v") + "/f", "written");
        Assert.Equal("written", await File.ReadAllTextAsync($"{_directory}/v/f"));
        Assert.Equal("served.invalid:/e/v", (await ClusterTests.StatusAsync(Server.Engine, "v")).GetProperty("Directory").GetString());
        Assert.Equal("", await Server.Engine.UnmountAsync("v", "x"));
        Assert.Equal("", await Server.Engine.RemoveAsync("v"));

        // A host that comes later, and one that has another address after a restart.
        var late = await Cluster.AddAsync("host-3", start: false);
        late.Settings = late.Settings with { Address = "2001:db8::3" };
        await late.StartAsync();
        await LetInAsync("192.0.2.1 192.0.2.2 2001:db8::3");
        await Cluster[2].StopAsync();
        Cluster[2].Settings = Cluster[2].Settings with { Address = "192.0.2.22" };
        await Cluster[2].StartAsync();
        await LetInAsync("192.0.2.1 192.0.2.22 2001:db8::3");
    }

    [Fact]
    public async Task What_somebody_did_to_the_table_is_put_right()
    {
        await StartAsync(2);
        var table = _exportfs.Table;
        File.Delete(_exportfs.Places.Table);
        await LetInAsync("192.0.2.1");
        File.WriteAllText(_exportfs.Places.Table, table[0].Replace(' ', '\t').Replace("fsid=", "fsid=00000000", StringComparison.Ordinal) + "\n/other\t192.0.2.1(rw)\n");
        _exportfs.Export(_directory, "192.0.2.9");
        await TestHost.EventuallyAsync(() => Task.FromResult(_exportfs.Table.Contains(table[0])), "its line is back");
        Assert.Contains("/other 192.0.2.1(rw)", _exportfs.Table);
    }

    [Fact]
    public async Task What_keeps_it_from_being_served_is_told_by_the_doctor_until_it_is_served_again()
    {
        await StartAsync(2);
        Assert.Empty(await Server.DiagnoseAsync());
        _exportfs.IsBroken = true;
        File.Delete(_exportfs.Places.Table);
        await TestHost.EventuallyAsync(async () => (await Server.DiagnoseAsync()).Count > 0, "it is found");
        await Server.TellsAsync("export-unserved", "error", "this host does not serve served.invalid:/e to the others as it should (", "it is tried again each second");
        Assert.Contains("exportfs: out of order", (await Server.FindOneAsync("export-unserved", "error")).Problem, StringComparison.Ordinal);
        _exportfs.IsBroken = false;
        await LetInAsync("192.0.2.1");
        await TestHost.EventuallyAsync(async () => (await Server.DiagnoseAsync()).Count == 0, "nothing is wrong any more");

        await File.WriteAllTextAsync($"{_exportfs.Places.Server}/threads", "0\n");
        await TestHost.EventuallyAsync(async () => (await Server.DiagnoseAsync()).Count > 0, "it is found");
        await Server.TellsAsync("export-unserved", "error", "(the kernel's NFS server does not run: start it", "it is tried again each second");
    }

    [Fact]
    public async Task A_takeover_waits_until_the_old_holder_is_shut_out_and_that_one_comes_back_under_another_fsid()
    {
        await StartAsync(3);
        Assert.Equal("", await Server.Engine.CreateAsync("v", s_single));
        await LoseHolderAsync(1, "v");
        var (ctl, others) = (_exportfs.Connect(1, "192.0.2.1"), _exportfs.Connect(2, "192.0.2.2"));
        var before = await FsidAsync(1);

        _exportfs.IsBroken = true;
        Assert.Matches("^volume v cannot be mounted yet, for host host-1 may still write to served.invalid:/e: see to volman on host host-0, which has to shut it out$", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("theirs=1", await Server.MountRowsAsync("v"));
        Assert.Equal("192.0.2.1 192.0.2.2", _exportfs.Clients);
        _exportfs.IsBroken = false;

        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("x=1", await Server.MountRowsAsync("v"));
        Assert.Equal("192.0.2.2", _exportfs.Clients);
        Assert.DoesNotContain("192.0.2.1", await File.ReadAllTextAsync(_exportfs.Places.File), StringComparison.Ordinal);
        Assert.Equal("expire\n", await File.ReadAllTextAsync(ctl));
        Assert.Equal("", await File.ReadAllTextAsync(others));
        Assert.True(await Cluster.ScalarAsync<bool>("SELECT withdrawn_at <= (SELECT max(at) FROM events WHERE kind = 'takeover') FROM export_clients c JOIN hosts h ON h.id = c.host_id WHERE h.name = 'host-1'"));

        await Cluster.HealAsync(1);
        await LetInAsync("192.0.2.1 192.0.2.2");
        Assert.NotEqual(before, await FsidAsync(1));
    }

    [Fact]
    public async Task A_withdrawal_is_made_sure_of_even_when_the_table_says_that_there_is_nothing_to_withdraw()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v", s_single));
        await LoseHolderAsync(1, "v");
        await File.WriteAllTextAsync(_exportfs.Places.Table, "");
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        Assert.NotEqual(0, _exportfs.Calls($"-u 192.0.2.1:{_directory}"));
        Assert.NotEqual(0, _exportfs.Calls("-f"));
    }

    [Fact]
    public async Task A_host_that_came_back_before_it_was_shut_out_is_spared()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v", s_single));
        await LoseHolderAsync(1, "v");
        _exportfs.IsBroken = true;
        var mounting = Server.Engine.MountAsync("v", "x");
        await TestHost.EventuallyAsync(() => Cluster.ScalarAsync<bool>("SELECT count(*) = 1 FROM export_clients WHERE withdraw_asked_at IS NOT NULL"), "it is asked");
        var before = await FsidAsync(1);
        await Cluster.ExecuteAsync("UPDATE hosts SET lease_expires_at = now() + interval '1 hour', state = 'live' WHERE name = 'host-1'");
        Assert.Matches("is mounted by host host-1", await mounting);
        _exportfs.IsBroken = false;
        await TestHost.EventuallyAsync(() => Cluster.ScalarAsync<bool>("SELECT count(*) = 0 FROM export_clients WHERE withdraw_asked_at IS NOT NULL"), "nobody asks any more");
        Assert.Equal("192.0.2.1", _exportfs.Clients);
        Assert.Equal(before, await FsidAsync(1));
    }

    [Fact]
    public async Task A_holder_that_was_never_let_in_may_have_come_in_another_way()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v", s_single));
        await LoseHolderAsync(1, "v");
        await Cluster.ExecuteAsync("UPDATE hosts SET address = NULL WHERE name = 'host-1'; DELETE FROM export_clients");
        _exportfs.Export(_directory, "192.0.2.0/24");
        Assert.Matches("cannot be mounted yet, for host host-1 may still write", await Server.Engine.MountAsync("v", "x"));
        // It is live again with an address, and nothing was taken from it.
        await Cluster.ExecuteAsync("UPDATE hosts SET address = '192.0.2.1', lease_expires_at = now() + interval '1 hour', state = 'live' WHERE name = 'host-1'");
        await File.WriteAllTextAsync(_exportfs.Places.Table, "");
        await LetInAsync("192.0.2.1");
        await Cluster.ExpireLeaseAsync(1, "31 seconds");
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("", _exportfs.Clients);
    }

    [Fact]
    public async Task Of_two_hosts_with_one_address_the_live_one_is_let_in_and_others_are_served_on()
    {
        await StartAsync(3);
        await Cluster.ExecuteAsync("UPDATE export_clients SET address = '192.0.2.1'; UPDATE hosts SET address = '192.0.2.1' WHERE name = 'host-2'; UPDATE hosts SET state = 'lost' WHERE name = 'host-1'");
        await Cluster.CutAsync(1);
        await TestHost.EventuallyAsync(async () => _exportfs.Table is [var line] && line.Contains($"fsid={await FsidAsync(2)}", StringComparison.Ordinal), "the live one has the address");
    }

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
    public async Task A_host_that_is_only_lost_keeps_what_it_has_open()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v"));
        await LoseHolderAsync(1, "v");
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("192.0.2.1", _exportfs.Clients);
        var before = await FsidAsync(1);
        await Cluster.HealAsync(1);
        Assert.Equal(before, await FsidAsync(1));
    }

    [Fact]
    public async Task What_an_evicted_host_had_for_itself_waits_until_it_is_shut_out()
    {
        await StartAsync(3);
        Assert.Equal("", await Server.Engine.CreateAsync("v", s_single));
        await LoseHolderAsync(1, "v");
        _exportfs.IsBroken = true;
        await using var database = new PostgresDatabase(Cluster.Server.ConnectionString(Cluster.Database), "test");
        var evicting = Eviction.EvictAsync(database, "host-1", "tester", force: false);
        await TestHost.EventuallyAsync(async () => await Cluster.ScalarAsync<string>("SELECT state FROM hosts WHERE name = 'host-1'") == "evicted", "it is evicted");
        var mounting = Server.Engine.MountAsync("v", "x");
        Assert.Equal("192.0.2.1 192.0.2.2", _exportfs.Clients);
        Assert.Equal("", await Server.MountRowsAsync("v"));
        _exportfs.IsBroken = false;
        Assert.Equal("", await mounting);
        Assert.Equal([new Fencing.Closed("served.invalid:/e", "host-0", true)], (await evicting).Exports);
        Assert.Equal("192.0.2.2", _exportfs.Clients);
    }

    [Fact]
    public async Task A_live_host_that_is_evicted_is_shut_out_and_let_in_again_when_it_comes_back_at_once()
    {
        await StartAsync(2);
        var before = await FsidAsync(1);
        await using var database = new PostgresDatabase(Cluster.Server.ConnectionString(Cluster.Database), "test");
        Assert.Equal([new Fencing.Closed("served.invalid:/e", "host-0", false)], (await Eviction.EvictAsync(database, "host-1", "tester", force: true, dryRun: true)).Exports);
        Assert.Equal(("192.0.2.1", before), (_exportfs.Clients, await FsidAsync(1)));
        var evicted = await Eviction.EvictAsync(database, "host-1", "tester", force: true);
        Assert.Equal([new Fencing.Closed("served.invalid:/e", "host-0", true)], evicted.Exports);
        await TestHost.EventuallyAsync(async () => _exportfs.Clients == "192.0.2.1" && await FsidAsync(1) != before, "it is let in again under another fsid");
    }

    [Fact]
    public async Task Nobody_is_said_to_be_shut_out_who_can_come_in_another_way()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v", s_single));
        await LoseHolderAsync(1, "v");
        _exportfs.Export(_directory, "*");
        Assert.Matches("cannot be mounted yet, for host host-1 may still write", await Server.Engine.MountAsync("v", "x"));
        Assert.Equal("theirs=1", await Server.MountRowsAsync("v"));
    }

    [Fact]
    public async Task What_the_serving_host_holds_itself_is_not_taken_from_it()
    {
        await StartAsync(2);
        Assert.Equal("", await Server.Engine.CreateAsync("v", s_single));
        Assert.Equal("", await Server.Engine.MountAsync("v", "x"));
        await Cluster.CutAsync(0);
        await Cluster.ExpireLeaseAsync(0, "31 seconds");
        Assert.Matches("is mounted by host host-0 .*volman host evict host-0", await Cluster[1].Engine.MountAsync("v", "y"));
        Assert.Equal("x=1", await Cluster[1].MountRowsAsync("v"));
    }

    [Fact]
    public async Task Another_directory_is_not_served_in_its_place_and_when_it_is_not_told_to_the_host_serves_no_more()
    {
        await StartAsync(2);
        await Server.StopAsync();
        Assert.Equal("192.0.2.1", _exportfs.Clients);
        var other = Directory.CreateTempSubdirectory("volman-other-").FullName;
        Server.Settings = Server.Settings with { ExportDirectory = other };
        await Server.StartAsync();
        Assert.Equal(_directory, await Cluster.ScalarAsync<string>("SELECT directory FROM exports"));
        Assert.Matches(@"^volume new cannot be reached: served.invalid:/e was served from another directory than .*: mount the disk that belongs there or", await Server.Engine.CreateAsync("new"));
        Assert.DoesNotContain(_exportfs.Table, line => line.StartsWith(other, StringComparison.Ordinal));

        await Server.StopAsync();
        Server.Settings = Server.Settings with { ExportDirectory = "" };
        await Server.StartAsync();
        await LetInAsync("");
        await TestHost.EventuallyAsync(async () => await Cluster.ScalarAsync<long>("SELECT count(*) FROM exports") == 0, "the catalog knows");
        // Forgotten last: a daemon that is killed before that withdraws it once more.
        await TestHost.EventuallyAsync(() => Task.FromResult(!File.Exists(_exportfs.Places.File)), "its file is gone");
        Directory.Delete(other, recursive: true);
    }

    // The test framework calls this one, and not the other.
    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public Task InitializeAsync() => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null) await _cluster.DisposeAsync();
        _exportfs.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
