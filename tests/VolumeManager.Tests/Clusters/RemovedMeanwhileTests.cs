using VolumeManager.Tests.Mounts;

namespace VolumeManager.Tests.Clusters;

/// <summary>What others removed, or made anew, while a host could not hear of it.</summary>
[Trait("Catalog", "postgres")]
public class RemovedMeanwhileTests
{
    [Fact]
    public async Task A_volume_that_was_removed_elsewhere_while_it_was_mounted_here_stays_until_its_Unmount_and_its_data_is_kept()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));

        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", new Dictionary<string, string> { ["on-remove"] = "delete" }));
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await File.WriteAllTextAsync(cluster[0].TargetOf("v") + "/f", "data");
        await cluster.RemoveElsewhereAsync("v");
        // The host that is cut off may be the janitor. The other host becomes it when that claim runs out, and must wait for the first host, which may hold the volume.
        await cluster.ExecuteAsync("UPDATE catalog SET janitor_until = now()");
        await JanitorPassesAsync(cluster);
        Assert.Equal("data", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));
        Assert.Equal("no such volume", (await cluster[1].Engine.GetAsync("v")).Err);

        await cluster.HealAsync(0);
        await Poll.UntilAsync("the conflict is told", async () => (await cluster[0].EventsAsync("v")).Contains("conflict"));
        Assert.Equal("x=1", await cluster[0].MountRowsAsync("v"));
        Assert.Equal("", (await cluster[0].Engine.GetAsync("v")).Err);
        Assert.Equal(cluster[0].TargetOf("v"), await cluster[0].Engine.PathAsync("v"));
        Assert.Equal("volume v was removed on another host: create it anew, then mount it", await cluster[0].Engine.MountAsync("v", "y"));
        await JanitorPassesAsync(cluster);
        Assert.Equal("data", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));

        // A new volume of the name can be made elsewhere; here it has to wait.
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        Assert.NotEqual("", await cluster[0].Engine.MountAsync("v", "y"));
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        Assert.Empty(cluster[0].KernelMounts());
        await Poll.UntilAsync("the data is deleted now that nobody holds it", async () => (await cluster[0].EventsAsync("v")).Contains("purge"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "y"));
        Assert.Empty(Directory.GetFileSystemEntries(cluster[0].TargetOf("v")));
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'conflict'"));
    }

    /// <summary>Waits for a whole pass of the janitor. A pass deletes old events last, so a whole one lies between the deletions of two events, the second of which is written after the first is gone.</summary>
    static async Task JanitorPassesAsync(TestCluster cluster)
    {
        for (var i = 0; i < 2; i++)
        {
            await cluster.ExecuteAsync("INSERT INTO events (operation, at, host, kind) VALUES (gen_random_uuid(), now() - interval '1 year', 'nobody', 'host-start')");
            await Poll.UntilAsync("the janitor deletes an old event", () => cluster.ScalarAsync<bool>("SELECT count(*) = 0 FROM events WHERE host = 'nobody'"));
        }
    }

    [Fact]
    public async Task What_a_container_still_uses_is_kept_in_the_trash_although_its_engine_has_forgotten_it()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        await cluster[0].Engine.ActivateAsync();
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", new Dictionary<string, string> { ["on-remove"] = "delete" }));
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        using (await HoldingProcess.StartAsync(cluster[0].TargetOf("v"), Path.Combine(cluster[0].Settings.StateDirectory, "inside")))
        {
            await cluster.RemoveElsewhereAsync("v");
            await cluster.HealAsync(0);
            await Poll.UntilAsync("the conflict is told", async () => (await cluster[0].EventsAsync("v")).Contains("conflict"));
            await cluster[0].Engine.ActivateAsync();
            await Task.Delay(1500);
            Assert.Equal("x=1", await cluster[0].MountRowsAsync("v"));
            Assert.DoesNotContain("purge", await cluster[0].EventsAsync("v"));
        }

        await Poll.UntilAsync("the data is deleted now that nobody holds it", async () => (await cluster[0].EventsAsync("v")).Contains("purge"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_volume_that_was_removed_meanwhile_is_not_mounted_nor_a_new_one_of_its_name_in_its_place(bool anew)
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", new Dictionary<string, string> { ["on-remove"] = "delete" }));
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        if (anew) Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        Assert.Equal("volume v was removed on another host: create it anew, then mount it", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Empty(cluster[0].KernelMounts());
        Assert.Equal(anew, Directory.Exists(cluster[0].DataOf("v")));

        await cluster.HealAsync(0);
        Assert.Equal(anew ? "" : "no such volume: v", await cluster[0].Engine.MountAsync("v", "x"));
    }

    [Fact]
    public async Task Nothing_is_deleted_while_a_host_was_told_of_its_removal_but_did_not_hear_it()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(9));

        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", new Dictionary<string, string> { ["on-remove"] = "delete" }));
        await cluster[0].Engine.ListAsync();
        cluster.Links[0].Delay = TimeSpan.FromSeconds(1);
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        Task<DateTime> LeaseAsync() => cluster.ScalarAsync<DateTime>("SELECT lease_expires_at FROM hosts WHERE name = 'host-0'");
        var lease = await LeaseAsync();
        await Poll.UntilAsync("the lease is renewed, and the answer is on its way", async () => await LeaseAsync() > lease);
        cluster.Links[0].Cut();
        await Task.Delay(500);
        Assert.NotEqual("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
        cluster.Links[0].Delay = TimeSpan.Zero;
        cluster.Links[0].Heal();
        await Poll.UntilAsync("the data is deleted when all have heard", async () => (await cluster[1].EventsAsync("v")).Contains("purge"));
    }

    [Fact]
    public async Task A_volume_whose_Create_lost_its_answer_keeps_its_directory_for_who_uses_it_already()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        cluster.Links[0].Delay = TimeSpan.FromMilliseconds(200);
        var answer = cluster[0].Engine.CreateAsync("v");
        await Poll.UntilAsync("the row is there", async () => await cluster.ScalarAsync<long>("SELECT count(*) FROM volumes") == 1);
        cluster.Links[0].Cut();
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        Assert.StartsWith("the cluster's catalog is away", await answer, StringComparison.Ordinal);
        await File.WriteAllTextAsync(cluster[1].TargetOf("v") + "/f", "data");
    }

    [Fact]
    public async Task A_directory_that_was_kept_and_adopted_anew_while_a_host_was_cut_off_is_in_use_by_whoever_mounted_it_there()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        var adopt = new Dictionary<string, string> { ["path"] = "kept" };
        Directory.CreateDirectory(cluster[1].DataOf("kept"));
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", adopt));
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", adopt));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));

        await cluster.HealAsync(0);
        await Poll.UntilAsync(
            "the new volume is held", () => cluster.ScalarAsync<bool>("SELECT count(*) = 1 FROM mounts JOIN volumes ON volumes.id = volume_id WHERE state = 'ready' AND caller_id = 'x'"));
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM mounts"));
        Assert.StartsWith("volume v is in use on host host-0", await cluster[1].Engine.RemoveAsync("v"), StringComparison.Ordinal);
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        Assert.Equal(0, await cluster.ScalarAsync<long>("SELECT count(*) FROM mounts"));
        await using var ledger = cluster[0].OpenLedger();
        Assert.Empty(ledger.Mounts);
    }

    [Fact]
    public async Task News_of_a_removed_volume_leave_its_successor_in_the_ledger()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));

        var deleted = new Dictionary<string, string> { ["on-remove"] = "delete" };
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", deleted));
        await cluster[0].Engine.ListAsync();
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        await Poll.UntilAsync("the first one's data is deleted", async () => (await cluster[1].EventsAsync("v")).Contains("purge"));
        await cluster[0].Engine.ListAsync();
        await cluster[0].StopAsync();
        cluster.Links[0].Cut();
        await cluster[0].StartAsync();
        Assert.Equal("", (await cluster[0].Engine.GetAsync("v")).Err);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
    }
}
