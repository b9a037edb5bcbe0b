using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>Restoration as the other hosts see it: those that watch, those that do the same, and those that were cut off.</summary>
public class RestoreInClusterTests
{
    static async Task<OperatorClient.Reply> RestoreAsync(TestHost host, string which, string? asName = null)
    {
        using var operate = OperatorClient.Of(host);
        return await operate.RestoreAsync(which, asName);
    }

    static async Task MakeAsync(TestHost host, string name)
    {
        Assert.Equal("", await host.Engine.CreateAsync(name));
        Assert.Equal("", await host.Engine.MountAsync(name, "maker"));
        await File.WriteAllTextAsync(host.TargetOf(name) + "/f", "data of " + name);
        Assert.Equal("", await host.Engine.UnmountAsync(name, "maker"));
    }

    static async Task<string> ReadAsync(TestHost host, string name)
    {
        Assert.Equal("", await host.Engine.MountAsync(name, "reader"));
        var text = await File.ReadAllTextAsync(host.TargetOf(name) + "/f");
        Assert.Equal("", await host.Engine.UnmountAsync(name, "reader"));
        return text;
    }

    [Fact]
    public async Task What_one_host_restores_under_another_name_all_have_under_that_name_only()
    {
        await using var cluster = await TestCluster.StartQuickAsync(3, lease: TimeSpan.FromSeconds(3));
        await MakeAsync(cluster[0], "v");
        foreach (var host in cluster.Hosts) Assert.Equal(["v"], await host.Engine.ListAsync());
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        // Not asked in between, so that the last host hears of the whole at once.
        Assert.Equal("", (await RestoreAsync(cluster[1], "v", "w")).Detail);
        foreach (var host in cluster.Hosts)
        {
            Assert.Equal(["w"], await host.Engine.ListAsync());
            Assert.Equal("no such volume", (await host.Engine.GetAsync("v")).Err);
            Assert.Equal("data of v", await ReadAsync(host, "w"));
        }

        // The ledger of a host that starts without the database knows the same.
        await cluster[2].StopAsync();
        cluster.Links[2].Cut();
        await cluster[2].StartAsync();
        Assert.Equal(["w"], await cluster[2].Engine.ListAsync());
        Assert.Equal("data of v", await ReadAsync(cluster[2], "w"));
        await cluster.HealAsync(2);
        Assert.Equal("", await cluster[2].Engine.CreateAsync("v"));
        foreach (var host in cluster.Hosts) Assert.Equal(["v", "w"], await host.Engine.ListAsync());
    }

    [Fact]
    public async Task Of_two_hosts_that_restore_at_one_moment_one_does()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        for (var i = 0; i < 5; i++)
        {
            await MakeAsync(cluster[0], $"v{i}");
            Assert.Equal("", await cluster[0].Engine.RemoveAsync($"v{i}"));
            var replies = await Task.WhenAll(RestoreAsync(cluster[0], $"v{i}"), RestoreAsync(cluster[1], $"v{i}"));
            Assert.Single(replies, reply => reply.Status == 200);
            Assert.Single(replies, reply => reply.Status is 404 or 409);
            Assert.Equal($"data of v{i}", await ReadAsync(cluster[1], $"v{i}"));
            Assert.Equal(1, await cluster.ScalarAsync<long>($"SELECT count(*) FROM events WHERE kind = 'restore' AND error IS NULL AND volume_name = 'v{i}'"));
        }
    }

    [Fact]
    public async Task Without_the_database_nothing_is_restored_or_deleted_and_the_reason_is_told()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await MakeAsync(cluster[0], "v");
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        await cluster.CutAsync(0);
        using var operate = OperatorClient.Of(cluster[0]);
        foreach (var reply in new[] { await operate.RestoreAsync("v"), await operate.SendAsync("DELETE", "/v1/trash/v"), await operate.SendAsync("GET", "/v1/trash") })
        {
            Assert.Equal(503, reply.Status);
            Assert.Matches("^the cluster's catalog is away since .*Z \\(.+\\): .+ try again when it is back$", reply.Detail);
        }

        await cluster.HealAsync(0);
        Assert.Equal("trashed", (await operate.TrashAsync())[0].GetProperty("state").GetString());
        Assert.Equal("", (await operate.RestoreAsync("v")).Detail);
        Assert.Equal("data of v", await ReadAsync(cluster[0], "v"));
    }

    [Fact]
    public async Task A_host_that_was_cut_off_meets_its_volume_again_under_its_own_name()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await MakeAsync(cluster[1], "v");
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster.RemoveElsewhereAsync("v");
        Assert.Equal("", (await RestoreAsync(cluster[1], "v")).Detail);
        Assert.Equal("data of v", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "y"));
        await cluster.HealAsync(0);
        Assert.Equal("x=1 y=1", await cluster[0].MountRowsAsync("v"));
        Assert.StartsWith("volume v is in use on host host-0 (2 callers", await cluster[1].Engine.RemoveAsync("v"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_volume_that_is_still_mounted_is_restored_under_its_own_name_only_and_is_usable_for_all_again()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await MakeAsync(cluster[1], "v");
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster.RemoveElsewhereAsync("v");
        await cluster.HealAsync(0);
        await TestHost.EventuallyAsync(async () => await cluster[0].MountRowsAsync("v") == "x=1", "its mount is told");

        var reply = await RestoreAsync(cluster[1], "v", "w");
        Assert.Equal(409, reply.Status);
        Assert.Matches("^volume v is still in use on host host-0 \\(1 caller since .+\\): stop the containers that use it first, or restore it under its own name$", reply.Detail);
        Assert.Equal("", (await RestoreAsync(cluster[1], "v")).Detail);
        await TestHost.EventuallyAsync(async () => await cluster[0].Engine.MountAsync("v", "y") == "", "it can be mounted here again");
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "z"));
        await File.WriteAllTextAsync(cluster[1].TargetOf("v") + "/f", "written after it");
        Assert.Equal("written after it", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));
        foreach (var caller in new[] { "x", "y" }) Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", caller));
        Assert.Equal("z=1", await cluster[0].MountRowsAsync("v"));
    }

    [Fact]
    public async Task Under_another_name_only_when_every_host_knows_of_the_removal()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await MakeAsync(cluster[1], "v");
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        await TestHost.EventuallyAsync(() => cluster.ScalarAsync<bool>("SELECT lease_expires_at < now() FROM hosts WHERE name = 'host-0'"), "the host is lost");
        var reply = await RestoreAsync(cluster[1], "v", "w");
        Assert.Equal(409, reply.Status);
        Assert.Contains("for host host-0 was not heard of since its removal and may still use the old one: restore it under its own name, start volman on that host or, if it does not come back, run volman host evict host-0", reply.Detail, StringComparison.Ordinal);
        // It would have taken a new volume of the name for the old one.
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        Assert.Equal("volume v was removed on another host: create it anew, then mount it", await cluster[0].Engine.MountAsync("v", "x"));

        await cluster.HealAsync(0);
        Assert.Equal("", (await RestoreAsync(cluster[1], "v", "w")).Detail);
        Assert.Equal("data of v", await ReadAsync(cluster[0], "w"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Empty(Directory.GetFileSystemEntries(cluster[0].TargetOf("v")));
    }

    [Fact]
    public async Task Another_host_finishes_what_a_host_began_that_does_not_come_back()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await MakeAsync(cluster[0], "v");
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        Assert.Equal(2, await cluster.ExecuteAsync("""
            UPDATE catalog SET revision = revision + 1;
            UPDATE volumes SET state = 'restoring', name = 'w', directory = 'w', removed_at = now(), revision = (SELECT revision FROM catalog)
            """));
        // Begun just now, by somebody who may be at it: it is left to him, and nobody else has it.
        Assert.Equal("volume w is being restored or copied: try again when that is done", await cluster[1].Engine.MountAsync("w", "x"));
        Assert.Equal("volume w is being restored or copied by a host of the cluster at this moment: try again when that is done", await cluster[1].Engine.CreateAsync("w"));
        Assert.Equal("volume w is being restored or copied by a host of the cluster at this moment: try again when that is done", await cluster[1].Engine.RemoveAsync("w"));
        Assert.Equal("restoring", await cluster.ScalarAsync<string>("SELECT state FROM volumes"));

        Assert.Equal(2, await cluster.ExecuteAsync("""
            UPDATE catalog SET revision = revision + 1;
            UPDATE volumes SET removed_at = now() - interval '3 minutes', revision = (SELECT revision FROM catalog)
            """));
        await TestHost.EventuallyAsync(async () => await cluster.ScalarAsync<string>("SELECT state FROM volumes") == "ready", "it is finished");
        foreach (var host in cluster.Hosts) Assert.Equal("data of v", await ReadAsync(host, "w"));
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'restore'"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_evicted_host_that_comes_back_keeps_its_mounts_under_the_name_they_were_made_under(bool restarted)
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await using var database = new PostgresDatabase(cluster.Server.ConnectionString(cluster.Database), "test");
        await MakeAsync(cluster[1], "x");
        Assert.Equal("", await cluster[0].Engine.MountAsync("x", "c1"));
        await cluster.CutAsync(0);
        await cluster.ExpireLeaseAsync(0, "1 second");
        await Eviction.EvictAsync(database, "host-0", "test", force: false);
        await cluster.RemoveElsewhereAsync("x");
        Assert.Equal("", (await RestoreAsync(cluster[1], "x", "y")).Detail);

        await cluster.HealAsync(0);
        await TestHost.EventuallyAsync(async () => await cluster[0].MountRowsAsync("y") == "c1=1", "its mount is told");
        if (restarted) await cluster[0].RestartAsync();
        Assert.Equal(["x"], cluster[0].KernelMounts());
        Assert.Equal(
            "volume y is still mounted on this host as x, its name before it was removed and restored: stop the containers of this host that use it under that name first",
            await cluster[0].Engine.MountAsync("y", "c2"));
        // Another one's mount makes this host hear of the volume once more, and an outage makes it join once more.
        Assert.Equal("", await cluster[1].Engine.MountAsync("y", "c3"));
        await cluster.CutAsync(0);
        await cluster.HealAsync(0);
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("y", "c3"));
        if (restarted) await cluster[0].RestartAsync();
        await TestHost.EventuallyAsync(async () => await cluster[0].MountRowsAsync("y") == "c1=1", "its mount is there still");
        Assert.StartsWith("volume y is in use on host host-0 (1 caller", await cluster[1].Engine.RemoveAsync("y"), StringComparison.Ordinal);
        Assert.Equal("data of x", await File.ReadAllTextAsync(cluster[0].TargetOf("x") + "/f"));

        Assert.Equal("", await cluster[0].Engine.UnmountAsync("x", "c1"));
        Assert.Empty(cluster[0].KernelMounts());
        Assert.Equal("data of x", await ReadAsync(cluster[0], "y"));
        await using var ledger = cluster[0].OpenLedger();
        await TestHost.EventuallyAsync(() => Task.FromResult(ledger.Volumes.AsNoTracking().Single().Name == "y"), "the ledger has the new name");
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("y"));
    }

    /// <summary>In the moment when a host would write that its rename is done, another one has brought the volume into another state.</summary>
    static Task<int> OvertakeAsync(TestCluster cluster, string from, string to, string instead) => cluster.ExecuteAsync($"""
        CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE volumes SET {instead}, revision = (SELECT revision FROM catalog) WHERE id = NEW.id;
            RETURN NULL;
        END $$;
        CREATE TRIGGER overtake BEFORE UPDATE ON volumes FOR EACH ROW WHEN (OLD.state = '{from}' AND NEW.state = '{to}') EXECUTE FUNCTION overtake()
        """);

    static Task<int> OvertakeNoMoreAsync(TestCluster cluster) => cluster.ExecuteAsync("DROP TRIGGER overtake ON volumes");

    [Theory]
    [InlineData("state = 'ready', removed_at = NULL")]
    [InlineData("state = 'restoring', removed_at = now() - interval '3 minutes'")]
    public async Task A_removal_that_comes_too_late_gives_back_the_data_that_it_moved(string instead)
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await MakeAsync(cluster[0], "v");
        await OvertakeAsync(cluster, "removing", "trashed", instead);
        Assert.Equal("the removal of volume v was taken back on another host meanwhile, and it stays with its data: if it shall go, remove it again", await cluster[0].Engine.RemoveAsync("v"));
        await OvertakeNoMoreAsync(cluster);
        Assert.Equal("data of v", await File.ReadAllTextAsync(cluster[0].DataOf("v") + "/f"));
        Assert.Empty(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash")));
        // Finishes what is abandoned, too.
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        foreach (var host in cluster.Hosts) Assert.Equal("data of v", await ReadAsync(host, "v"));
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
    }

    [Fact]
    public async Task A_removal_that_another_host_has_ended_is_done()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await MakeAsync(cluster[0], "v");
        await OvertakeAsync(cluster, "removing", "trashed", "removed_at = now(), purge_after = now() + interval '1 day', state = 'purging'");
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
        Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash")));
    }

    /// <summary>What was being removed when the catalog was last heard of may be in use on another host by now.</summary>
    [Fact]
    public async Task A_host_that_is_cut_off_ends_no_removal_that_it_remembers()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await MakeAsync(cluster[0], "v");
        await cluster.ExecuteAsync("UPDATE catalog SET revision = revision + 1; UPDATE volumes SET state = 'removing', removed_at = now(), revision = (SELECT revision FROM catalog)");
        Assert.Equal("", (await cluster[1].Engine.GetAsync("v")).Err);
        cluster.Links[1].Cut();
        await cluster.ExecuteAsync("UPDATE catalog SET revision = revision + 1; UPDATE volumes SET state = 'ready', removed_at = NULL, revision = (SELECT revision FROM catalog)");

        Assert.Contains("database", await cluster[1].Engine.RemoveAsync("v"), StringComparison.Ordinal);
        Assert.Equal("data of v", await File.ReadAllTextAsync(cluster[0].DataOf("v") + "/f"));
        await cluster.HealAsync(1);
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
    }

    /// <summary>Who waits for another host's removal asked for that volume, and not for the next of its name.</summary>
    [Fact]
    public async Task A_removal_that_another_host_ends_leaves_the_next_volume_of_that_name()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await MakeAsync(cluster[0], "v");
        await cluster.ExecuteAsync("UPDATE catalog SET revision = revision + 1; UPDATE volumes SET state = 'removing', removed_at = now(), revision = (SELECT revision FROM catalog)");
        var removing = cluster[1].Engine.RemoveAsync("v");
        await Task.Delay(TimeSpan.FromSeconds(1));
        Assert.False(removing.IsCompleted);
        Directory.Move(cluster[0].DataOf("v"), cluster[0].DataOf($".trash/v.{await cluster.ScalarAsync<string>("SELECT replace(id::text, '-', '') FROM volumes")}"));
        await cluster.ExecuteAsync("UPDATE catalog SET revision = revision + 1; UPDATE volumes SET state = 'trashed', purge_after = now() + interval '1 day', revision = (SELECT revision FROM catalog)");
        await MakeAsync(cluster[0], "v");
        Assert.Equal("", await removing);
        foreach (var host in cluster.Hosts) Assert.Equal("data of v", await ReadAsync(host, "v"));
    }

    /// <summary>Two hosts remove one volume, and a third has made the next of that name before the slower of the two is told.</summary>
    [Fact]
    public async Task What_a_removal_has_moved_is_never_put_into_the_next_volume_of_that_name()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await MakeAsync(cluster[0], "v");
        await OvertakeAsync(cluster, "removing", "trashed", """
            state = 'purging' WHERE id = NEW.id;
            UPDATE volumes SET state = 'trashed', removed_at = now(), purge_after = now() + interval '1 day' WHERE id = NEW.id;
            INSERT INTO volumes SELECT (jsonb_populate_record(OLD, '{"id": "0d9f4d4c-31d5-4b5b-8f0e-6a5a3b8c1d2e", "state": "ready", "removed_at": null, "provisioned_at": null}')).*;
            PERFORM pg_sleep(2);
            UPDATE volumes SET name = name
            """);
        var removing = cluster[0].Engine.RemoveAsync("v");
        await TestHost.EventuallyAsync(() => Task.FromResult(!Directory.Exists(cluster[0].DataOf("v"))), "the data is in the trash");
        Directory.CreateDirectory(cluster[0].DataOf("v"));
        Assert.Equal("", await removing);
        await OvertakeNoMoreAsync(cluster);
        Assert.Equal("data of v", await File.ReadAllTextAsync(Path.Combine(Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash"))), "f")));
        foreach (var host in cluster.Hosts)
        {
            Assert.Equal("", await host.Engine.MountAsync("v", "next"));
            Assert.Empty(Directory.GetFileSystemEntries(host.TargetOf("v")));
            Assert.Equal("", await host.Engine.UnmountAsync("v", "next"));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("w")]
    public async Task A_restoration_that_comes_too_late_takes_the_data_back_into_the_trash(string? asName)
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await MakeAsync(cluster[0], "v");
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        var trashed = Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash")));
        await OvertakeAsync(cluster, "restoring", "ready", "state = 'trashed', name = 'v', directory = 'v', removed_at = now()");
        var reply = await RestoreAsync(cluster[0], "v", asName);
        Assert.Equal(409, reply.Status);
        Assert.StartsWith($"the restoration of volume {asName ?? "v"} was taken back on another host", reply.Detail, StringComparison.Ordinal);
        await OvertakeNoMoreAsync(cluster);
        Assert.Equal(trashed, Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash"))));
        Assert.False(Directory.Exists(cluster[0].DataOf(asName ?? "v")));
        Assert.Equal("", (await RestoreAsync(cluster[0], "v", asName)).Detail);
        Assert.Equal("data of v", await ReadAsync(cluster[0], asName ?? "v"));
    }
}
