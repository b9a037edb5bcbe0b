using System.Diagnostics;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Mounts;

namespace VolumeManager.Tests.Clusters;

/// <summary>One host loses its way to the database, or all do: what must go on, what must not, and what is there afterwards.</summary>
public class OutageTests
{
    static readonly Dictionary<string, string> s_labelled = new() { ["label.team"] = "a" };
    static readonly Dictionary<string, string> s_readOnly = new() { ["access"] = "read-only" };
    static readonly Dictionary<string, string> s_single = new() { ["access"] = "single-host" };

    [Fact]
    public async Task What_is_known_is_answered_and_says_since_when_it_may_be_out_of_date()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        var (engine, other) = (cluster[0].Engine, cluster[1].Engine);
        Assert.Equal("", await other.CreateAsync("v", s_labelled));
        Assert.Equal("", await other.MountAsync("v", "x"));
        await engine.ListAsync();
        await cluster.CutAsync(0);

        var status = await ClusterTests.StatusAsync(engine, "v");
        Assert.Equal("a", status.GetProperty("Labels").GetProperty("team").GetString());
        Assert.Equal("host-1", status.GetProperty("Holders")[0].GetProperty("Host").GetString());
        Assert.InRange(DateTime.Parse(status.GetProperty("Stale").GetString()!).ToUniversalTime(), DateTime.UtcNow.AddMinutes(-1), DateTime.UtcNow.AddSeconds(1));
        Assert.Equal(["v"], await engine.ListAsync());
        Assert.Equal("", await engine.PathAsync("v"));

        await cluster.HealAsync(0);
        Assert.False((await ClusterTests.StatusAsync(engine, "v")).TryGetProperty("Stale", out _));
    }

    [Fact]
    public async Task Names_that_cannot_be_judged_get_no_answer_at_all()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("made-meanwhile"));
        Assert.True((await cluster[0].Engine.GetAsync("made-meanwhile")).Aborted);
        Assert.True((await cluster[0].Engine.CallAsync("/VolumeDriver.Path", """{"Name":"made-meanwhile"}""")).Aborted);
        // What no volume can be called is known without asking.
        Assert.Equal("no such volume", (await cluster[0].Engine.GetAsync("../x")).Err);
        await cluster.HealAsync(0);
        Assert.Equal("", (await cluster[0].Engine.GetAsync("made-meanwhile")).Err);
    }

    [Fact]
    public async Task Shared_volumes_are_mounted_and_unmounted_and_all_is_told_once_and_in_order_afterwards()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        var engine = cluster[0].Engine;
        foreach (var name in new[] { "held", "shared", "fresh" }) Assert.Equal("", await cluster[1].Engine.CreateAsync(name));
        Assert.Equal("", await cluster[1].Engine.CreateAsync("read-only", s_readOnly));
        Assert.Equal("", await engine.MountAsync("held", "before"));
        await engine.ListAsync();
        await cluster.CutAsync(0);

        Assert.Equal("", await engine.UnmountAsync("held", "before"));
        Assert.Equal("", await engine.MountAsync("shared", "x"));
        Assert.Equal("", await engine.MountAsync("shared", "x"));
        Assert.Equal("", await engine.MountAsync("shared", "y"));
        Assert.Equal("", await engine.UnmountAsync("shared", "y"));
        Assert.Equal("", await engine.MountAsync("read-only", "z"));
        Assert.Equal(["read-only", "shared"], cluster[0].KernelMounts());
        Assert.Equal("before=1", await cluster[0].MountRowsAsync("held"));

        await cluster.HealAsync(0);
        await CheckToldAsync(cluster);
        Assert.Equal("", await engine.UnmountAsync("shared", "x"));
        Assert.Equal("x=1", await cluster[0].MountRowsAsync("shared"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_same_when_the_daemon_is_restarted_or_killed_meanwhile(bool killed)
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        var engine = cluster[0].Engine;
        foreach (var name in new[] { "held", "shared", "fresh" }) Assert.Equal("", await cluster[1].Engine.CreateAsync(name));
        Assert.Equal("", await cluster[1].Engine.CreateAsync("read-only", s_readOnly));
        await cluster[0].StopAsync();

        async Task<IAsyncDisposable?> StartAsync()
        {
            if (killed) return await DaemonProcess.StartAsync(cluster[0]);
            await cluster[0].StartAsync();
            return null;
        }

        Task EndAsync(IAsyncDisposable? daemon) => daemon is DaemonProcess process ? process.KillAsync() : cluster[0].StopAsync();

        var first = await StartAsync();
        Assert.Equal("", await engine.MountAsync("held", "before"));
        await engine.ListAsync();
        cluster.Links[0].Cut();
        Assert.Equal("", await engine.UnmountAsync("held", "before"));
        Assert.Equal("", await engine.MountAsync("shared", "x"));
        await EndAsync(first);

        var second = await StartAsync();
        Assert.Equal(["fresh", "held", "read-only", "shared"], await engine.ListAsync());
        Assert.True((await engine.GetAsync("unknown")).Aborted);
        Assert.Equal("", await engine.MountAsync("shared", "x"));
        Assert.Equal("", await engine.MountAsync("shared", "y"));
        Assert.Equal("", await engine.UnmountAsync("shared", "y"));
        await EndAsync(second);

        var third = await StartAsync();
        Assert.Equal("", await engine.MountAsync("read-only", "z"));
        await cluster.HealAsync(0);
        await CheckToldAsync(cluster);
        await EndAsync(third);

        var fourth = await StartAsync();
        await CheckToldAsync(cluster);
        await EndAsync(fourth);
    }

    static async Task CheckToldAsync(TestCluster cluster)
    {
        Assert.Equal("", await cluster[0].MountRowsAsync("held"));
        Assert.Equal("x=2", await cluster[0].MountRowsAsync("shared"));
        Assert.Equal("z=1", await cluster[0].MountRowsAsync("read-only"));
        var told = await cluster.ScalarAsync<string>("SELECT string_agg(kind || ' ' || volume_name || ' ' || caller_id, ', ' ORDER BY id) FROM events WHERE host = 'host-0' AND kind IN ('mount', 'unmount')");
        Assert.Equal("mount held before, unmount held before, mount shared x, mount shared x, mount shared y, unmount shared y, mount read-only z", told);
        await using var ledger = cluster[0].OpenLedger();
        await TestHost.EventuallyAsync(() => Task.FromResult(!ledger.Events.Any()), "the ledger has nothing left to tell");
        Assert.Equal(2, ledger.Mounts.Count());
    }

    [Fact]
    public async Task What_needs_the_catalog_is_refused_at_once_with_one_sentence()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        var engine = cluster[0].Engine;
        Assert.Equal("", await engine.CreateAsync("single", s_single));
        Assert.Equal("", await engine.CreateAsync("v"));
        await cluster.CutAsync(0);
        // A request may wait for two seconds after the loss; from then on it is known.
        await Task.Delay(2500);

        var clock = Stopwatch.StartNew();
        string[] refusals = [await engine.CreateAsync("new"), await engine.RemoveAsync("v"), await engine.MountAsync("single", "x"), await engine.MountAsync("unknown", "x")];
        Assert.All(refusals, refusal => Assert.Matches("^the cluster's catalog is away since .*Z \\(.+\\): .+ try again when it is back$", refusal));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"{clock.Elapsed}");
        Assert.Empty(cluster[0].KernelMounts());
        Assert.False(Directory.Exists(cluster[0].DataOf("new")));

        await cluster.HealAsync(0);
        Assert.Equal("", await engine.CreateAsync("new"));
        Assert.Equal("", await engine.MountAsync("single", "x"));
        Assert.Equal("", await engine.RemoveAsync("v"));
    }

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
        // Whoever was not heard of since may hold it: nothing is deleted.
        await Task.Delay(1500);
        Assert.Equal("data", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));
        Assert.Equal("no such volume", (await cluster[1].Engine.GetAsync("v")).Err);

        await cluster.HealAsync(0);
        await TestHost.EventuallyAsync(async () => (await cluster[0].EventsAsync("v")).Contains("conflict"), "the conflict is told");
        Assert.Equal("x=1", await cluster[0].MountRowsAsync("v"));
        Assert.Equal("", (await cluster[0].Engine.GetAsync("v")).Err);
        Assert.Equal(cluster[0].TargetOf("v"), await cluster[0].Engine.PathAsync("v"));
        Assert.Equal("volume v was removed on another host: create it anew, then mount it", await cluster[0].Engine.MountAsync("v", "y"));
        await Task.Delay(1500);
        Assert.Equal("data", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));

        // A new volume of the name can be made elsewhere; here it has to wait.
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        Assert.NotEqual("", await cluster[0].Engine.MountAsync("v", "y"));
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        Assert.Empty(cluster[0].KernelMounts());
        await TestHost.EventuallyAsync(async () => (await cluster[0].EventsAsync("v")).Contains("purge"), "the data is deleted now that nobody holds it");
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "y"));
        Assert.Empty(Directory.GetFileSystemEntries(cluster[0].TargetOf("v")));
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'conflict'"));
    }

    [Fact]
    public async Task A_Create_waits_for_a_removal_that_another_host_is_at()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        await cluster.ExecuteAsync("UPDATE catalog SET revision = revision + 1; UPDATE volumes SET state = 'removing', removed_at = now(), revision = (SELECT revision FROM catalog)");
        Assert.Equal("volume v is being removed by a host of the cluster at this moment: try again", await cluster[0].Engine.CreateAsync("v"));
        var creating = cluster[0].Engine.CreateAsync("v");
        Directory.Move(cluster[0].DataOf("v"), Path.Combine(cluster[0].Settings.DataRoot, ".trash", $"v.{await cluster.ScalarAsync<Guid>("SELECT id FROM volumes"):N}"));
        await cluster.ExecuteAsync("UPDATE catalog SET revision = revision + 1; UPDATE volumes SET state = 'trashed', purge_after = now() + interval '1 day', revision = (SELECT revision FROM catalog)");
        Assert.Equal("", await creating);
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM volumes WHERE state = 'ready'"));
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
        await using (await HoldingProcess.StartAsync(cluster[0].TargetOf("v"), Path.Combine(cluster[0].Settings.StateDirectory, "inside")))
        {
            await cluster.RemoveElsewhereAsync("v");
            await cluster.HealAsync(0);
            await TestHost.EventuallyAsync(async () => (await cluster[0].EventsAsync("v")).Contains("conflict"), "the conflict is told");
            await cluster[0].Engine.ActivateAsync();
            await Task.Delay(1500);
            Assert.Equal("x=1", await cluster[0].MountRowsAsync("v"));
            Assert.DoesNotContain("purge", await cluster[0].EventsAsync("v"));
        }

        await TestHost.EventuallyAsync(async () => (await cluster[0].EventsAsync("v")).Contains("purge"), "the data is deleted now that nobody holds it");
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
        await TestHost.EventuallyAsync(async () => await LeaseAsync() > lease, "the lease is renewed, and the answer is on its way");
        cluster.Links[0].Cut();
        await Task.Delay(500);
        Assert.NotEqual("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
        cluster.Links[0].Delay = TimeSpan.Zero;
        cluster.Links[0].Heal();
        await TestHost.EventuallyAsync(async () => (await cluster[1].EventsAsync("v")).Contains("purge"), "the data is deleted when all have heard");
    }

    [Fact]
    public async Task A_volume_whose_Create_lost_its_answer_keeps_its_directory_for_who_uses_it_already()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        cluster.Links[0].Delay = TimeSpan.FromMilliseconds(200);
        var answer = cluster[0].Engine.CreateAsync("v");
        await TestHost.EventuallyAsync(async () => await cluster.ScalarAsync<long>("SELECT count(*) FROM volumes") == 1, "the row is there");
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
        await TestHost.EventuallyAsync(
            () => cluster.ScalarAsync<bool>("SELECT count(*) = 1 FROM mounts JOIN volumes ON volumes.id = volume_id WHERE state = 'ready' AND caller_id = 'x'"), "the new volume is held");
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
        await TestHost.EventuallyAsync(async () => (await cluster[1].EventsAsync("v")).Contains("purge"), "the first one's data is deleted");
        await cluster[0].Engine.ListAsync();
        await cluster[0].StopAsync();
        cluster.Links[0].Cut();
        await cluster[0].StartAsync();
        Assert.Equal("", (await cluster[0].Engine.GetAsync("v")).Err);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
    }

    [Fact]
    public async Task A_host_whose_ledger_is_full_gives_its_claim_back()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        var state = cluster[0].Settings.StateDirectory;
        Directory.CreateDirectory(state);
        await Linux.ShellCommand.RunAsync("mount", "-t", "tmpfs", "-o", "size=1m", "none", state);
        await cluster[0].StartAsync();
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await Linux.ShellCommand.RunAsync("dd", "if=/dev/zero", $"of={state}/full", "bs=1k", "count=2000").ContinueWith(_ => { }, TaskScheduler.Default);
        string refusal, refused = "";
        for (var i = 0; (refusal = await cluster[0].Engine.MountAsync("v", refused = $"y{i}.")).Length == 0; i++) Assert.True(i < 1000);
        Assert.Contains("cannot be written", refusal, StringComparison.Ordinal);
        Assert.DoesNotContain(refused, await cluster[0].MountRowsAsync("v"), StringComparison.Ordinal);
        // Whoever leaves has left, and it is written down when there is room.
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        File.Delete(state + "/full");
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "z"));
        Assert.DoesNotContain("x=", await cluster[0].MountRowsAsync("v"), StringComparison.Ordinal);
    }
}
