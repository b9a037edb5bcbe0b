using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>Restoration as the other hosts see it: those that watch, those that do the same, and those that were cut off.</summary>
[Trait("Catalog", "postgres")]
public class RestoreInClusterTests
{
    static async Task<OperatorClient.Reply> RestoreAsync(TestHost host, string which, string? asName = null)
    {
        using var operate = OperatorClient.Of(host);
        return await operate.RestoreAsync(which, asName);
    }

    [Fact]
    public async Task What_one_host_restores_under_another_name_all_have_under_that_name_only()
    {
        await using var cluster = await TestCluster.StartQuickAsync(3, lease: TimeSpan.FromSeconds(3));
        await cluster[0].MakeAsync("v");
        foreach (var host in cluster.Hosts) Assert.Equal(["v"], await host.Engine.ListAsync());
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        // Not asked in between, so that the last host hears of the whole at once.
        Assert.Equal("", (await RestoreAsync(cluster[1], "v", "w")).Detail);
        foreach (var host in cluster.Hosts)
        {
            Assert.Equal(["w"], await host.Engine.ListAsync());
            Assert.Equal("no such volume", (await host.Engine.GetAsync("v")).Err);
            Assert.Equal("data of v", await host.ReadAsync("w"));
        }

        // The ledger of a host that starts without the database knows the same.
        await cluster[2].StopAsync();
        cluster.Links[2].Cut();
        await cluster[2].StartAsync();
        Assert.Equal(["w"], await cluster[2].Engine.ListAsync());
        Assert.Equal("data of v", await cluster[2].ReadAsync("w"));
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
            await cluster[0].MakeAsync($"v{i}");
            Assert.Equal("", await cluster[0].Engine.RemoveAsync($"v{i}"));
            var replies = await Task.WhenAll(RestoreAsync(cluster[0], $"v{i}"), RestoreAsync(cluster[1], $"v{i}"));
            Assert.Single(replies, reply => reply.Status == 200);
            Assert.Single(replies, reply => reply.Status is 404 or 409);
            Assert.Equal($"data of v{i}", await cluster[1].ReadAsync($"v{i}"));
            Assert.Equal(1, await cluster.ScalarAsync<long>($"SELECT count(*) FROM events WHERE kind = 'restore' AND error IS NULL AND volume_name = 'v{i}'"));
        }
    }

    [Fact]
    public async Task Without_the_database_nothing_is_restored_or_deleted_and_the_reason_is_told()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await cluster[0].MakeAsync("v");
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
        Assert.Equal("data of v", await cluster[0].ReadAsync("v"));
    }

    [Fact]
    public async Task A_host_that_was_cut_off_meets_its_volume_again_under_its_own_name()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await cluster[1].MakeAsync("v");
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
        await cluster[1].MakeAsync("v");
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster.RemoveElsewhereAsync("v");
        await cluster.HealAsync(0);
        await Poll.UntilAsync("its mount is told", async () => await cluster[0].MountRowsAsync("v") == "x=1");

        var reply = await RestoreAsync(cluster[1], "v", "w");
        Assert.Equal(409, reply.Status);
        Assert.Matches("^volume v is still in use on host host-0 \\(1 caller since .+\\): stop the containers that use it first, or restore it under its own name$", reply.Detail);
        Assert.Equal("", (await RestoreAsync(cluster[1], "v")).Detail);
        await Poll.UntilAsync("it can be mounted here again", async () => await cluster[0].Engine.MountAsync("v", "y") == "");
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
        await cluster[1].MakeAsync("v");
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        await Poll.UntilAsync("the host is lost", () => cluster.ScalarAsync<bool>("SELECT lease_expires_at < now() FROM hosts WHERE name = 'host-0'"));
        var reply = await RestoreAsync(cluster[1], "v", "w");
        Assert.Equal(409, reply.Status);
        Assert.Contains("for host host-0 was not heard of since its removal and may still use the old one: restore it under its own name, start volman on that host or, if it does not come back, run volman host evict host-0", reply.Detail, StringComparison.Ordinal);
        // It would have taken a new volume of the name for the old one.
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        Assert.Equal("volume v was removed on another host: create it anew, then mount it", await cluster[0].Engine.MountAsync("v", "x"));

        await cluster.HealAsync(0);
        Assert.Equal("", (await RestoreAsync(cluster[1], "v", "w")).Detail);
        Assert.Equal("data of v", await cluster[0].ReadAsync("w"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Empty(Directory.GetFileSystemEntries(cluster[0].TargetOf("v")));
    }

    [Fact]
    public async Task Another_host_finishes_what_a_host_began_that_does_not_come_back()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await cluster[0].MakeAsync("v");
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        await cluster.ChangeVolumesAsync("state = 'restoring', name = 'w', directory = 'w', removed_at = now()");
        // Begun just now, by somebody who may be at it: it is left to him, and nobody else has it.
        Assert.Equal("volume w is being restored or copied: try again when that is done", await cluster[1].Engine.MountAsync("w", "x"));
        Assert.Equal("volume w is being restored or copied by a host of the cluster at this moment: try again when that is done", await cluster[1].Engine.CreateAsync("w"));
        Assert.Equal("volume w is being restored or copied by a host of the cluster at this moment: try again when that is done", await cluster[1].Engine.RemoveAsync("w"));
        Assert.Equal("restoring", await cluster.ScalarAsync<string>("SELECT state FROM volumes"));

        await cluster.ChangeVolumesAsync("removed_at = now() - interval '3 minutes'");
        await Poll.UntilAsync("it is finished", async () => await cluster.ScalarAsync<string>("SELECT state FROM volumes") == "ready");
        foreach (var host in cluster.Hosts) Assert.Equal("data of v", await host.ReadAsync("w"));
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'restore'"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_evicted_host_that_comes_back_keeps_its_mounts_under_the_name_they_were_made_under(bool restarted)
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await using var database = new PostgresDatabase(cluster.Server.ConnectionString(cluster.Database), "test");
        await cluster[1].MakeAsync("x");
        Assert.Equal("", await cluster[0].Engine.MountAsync("x", "c1"));
        await cluster.CutAsync(0);
        await cluster.ExpireLeaseAsync(0, "1 second");
        await Eviction.EvictAsync(database, "host-0", "test", force: false);
        await cluster.RemoveElsewhereAsync("x");
        Assert.Equal("", (await RestoreAsync(cluster[1], "x", "y")).Detail);

        await cluster.HealAsync(0);
        await Poll.UntilAsync("its mount is told", async () => await cluster[0].MountRowsAsync("y") == "c1=1");
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
        await Poll.UntilAsync("its mount is there still", async () => await cluster[0].MountRowsAsync("y") == "c1=1");
        Assert.StartsWith("volume y is in use on host host-0 (1 caller", await cluster[1].Engine.RemoveAsync("y"), StringComparison.Ordinal);
        Assert.Equal("data of x", await File.ReadAllTextAsync(cluster[0].TargetOf("x") + "/f"));

        Assert.Equal("", await cluster[0].Engine.UnmountAsync("x", "c1"));
        Assert.Empty(cluster[0].KernelMounts());
        Assert.Equal("data of x", await cluster[0].ReadAsync("y"));
        await using var ledger = cluster[0].OpenLedger();
        await Poll.UntilAsync("the ledger has the new name", () => ledger.Volumes.AsNoTracking().Single().Name == "y");
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("y"));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("w")]
    public async Task A_restoration_that_comes_too_late_takes_the_data_back_into_the_trash(string? asName)
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await cluster[0].MakeAsync("v");
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        var trashed = Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash")));
        await cluster.OvertakeAsync("restoring", "ready", "state = 'trashed', name = 'v', directory = 'v', removed_at = now()");
        var reply = await RestoreAsync(cluster[0], "v", asName);
        Assert.Equal(409, reply.Status);
        Assert.StartsWith($"the restoration of volume {asName ?? "v"} was taken back on another host", reply.Detail, StringComparison.Ordinal);
        await cluster.OvertakeNoMoreAsync();
        Assert.Equal(trashed, Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash"))));
        Assert.False(Directory.Exists(cluster[0].DataOf(asName ?? "v")));
        Assert.Equal("", (await RestoreAsync(cluster[0], "v", asName)).Detail);
        Assert.Equal("data of v", await cluster[0].ReadAsync(asName ?? "v"));
    }

    /// <summary>Another host has ended the restoration, the volume was removed again, and the next one has its name: with a directory of its own, or with an empty one that the late
    /// rename replaced.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_next_volume_of_that_name_has_its_own_directory_whenever_a_restoration_ends(bool inTime)
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster[0].MakeAsync("v");
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        await cluster.OvertakeAsync("restoring", "ready", $$"""
            state = 'trashed', removed_at = now() WHERE id = NEW.id;
            INSERT INTO volumes SELECT (jsonb_populate_record(OLD, '{"id": "0d9f4d4c-31d5-4b5b-8f0e-6a5a3b8c1d2e", "state": "ready", "removed_at": null, "purge_after": null}')).*;
            PERFORM pg_sleep(2);
            UPDATE volumes SET name = name
            """);
        var restoring = RestoreAsync(cluster[0], "v");
        await Poll.UntilAsync("the data has left the trash", () => Directory.Exists(cluster[0].DataOf("v")));
        if (inTime)
        {
            Directory.Delete(cluster[0].DataOf("v"), recursive: true);
            Directory.CreateDirectory(cluster[0].DataOf("v"));
            await File.WriteAllTextAsync(cluster[0].DataOf("v") + "/f", "data of the next");
        }

        Assert.Equal(409, (await restoring).Status);
        await cluster.OvertakeNoMoreAsync();
        if (inTime)
        {
            foreach (var host in cluster.Hosts) Assert.Equal("data of the next", await host.ReadAsync("v"));
            return;
        }

        Assert.Equal("data of v", await File.ReadAllTextAsync(Path.Combine(Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash"))), "f")));
        foreach (var host in cluster.Hosts)
        {
            Assert.Equal("", await host.Engine.MountAsync("v", "next"));
            Assert.Empty(Directory.GetFileSystemEntries(host.TargetOf("v")));
            Assert.Equal("", await host.Engine.UnmountAsync("v", "next"));
        }
    }
}
