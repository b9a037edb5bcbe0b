using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>One host loses its way to the database, or all do: what must go on, what must not, and what is there afterwards.</summary>
[Trait("Catalog", "postgres")]
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

        async Task<RunningProgram?> StartAsync()
        {
            if (killed) return await DaemonProcess.StartAsync(cluster[0]);
            await cluster[0].StartAsync();
            return null;
        }

        Task EndAsync(RunningProgram? daemon) => daemon?.KillAsync() ?? cluster[0].StopAsync();

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

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_directory_that_was_first_used_meanwhile_is_not_made_anew_when_it_is_missing(bool restarted)
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        await cluster[0].Engine.ListAsync();
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await File.WriteAllTextAsync(cluster[0].TargetOf("v") + "/f", "data");
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        if (restarted) await cluster[0].RestartAsync();
        await cluster.HealAsync(0);
        Directory.Move(cluster[0].DataOf("v"), cluster[0].DataOf("elsewhere"));
        foreach (var host in cluster.Hosts) Assert.StartsWith($"the directory {host.DataOf("v")} of volume v is missing", await host.Engine.MountAsync("v", "x"), StringComparison.Ordinal);
        Assert.True(await cluster.ScalarAsync<bool>("SELECT provisioned_at IS NOT NULL FROM volumes"));
    }

    static async Task CheckToldAsync(TestCluster cluster)
    {
        Assert.Equal("", await cluster[0].MountRowsAsync("held"));
        Assert.Equal("x=2", await cluster[0].MountRowsAsync("shared"));
        Assert.Equal("z=1", await cluster[0].MountRowsAsync("read-only"));
        var told = await cluster.ScalarAsync<string>("SELECT string_agg(kind || ' ' || volume_name || ' ' || caller_id, ', ' ORDER BY id) FROM events WHERE host = 'host-0' AND kind IN ('mount', 'unmount')");
        Assert.Equal("mount held before, unmount held before, mount shared x, mount shared x, mount shared y, unmount shared y, mount read-only z", told);
        await using var ledger = cluster[0].OpenLedger();
        await Poll.UntilAsync("the ledger has nothing left to tell", () => !ledger.Events.Any());
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
        // A request may wait for some time after the loss; from then on it is known.
        await Task.Delay(TestTimings.Current.RestartWait);

        string[] refusals = [await engine.CreateAsync("new"), await engine.RemoveAsync("v"), await engine.MountAsync("single", "x"), await engine.MountAsync("unknown", "x")];
        Assert.All(refusals, refusal => Assert.Matches("^the cluster's catalog is away since .*Z \\(.+\\): .+ try again when it is back$", refusal));
        Assert.Empty(cluster[0].KernelMounts());
        Assert.False(Directory.Exists(cluster[0].DataOf("new")));

        await cluster.HealAsync(0);
        Assert.Equal("", await engine.CreateAsync("new"));
        Assert.Equal("", await engine.MountAsync("single", "x"));
        Assert.Equal("", await engine.RemoveAsync("v"));
    }

    [Fact]
    public async Task A_host_whose_ledger_is_full_gives_its_claim_back()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        var state = cluster[0].Settings.StateDirectory;
        Directory.CreateDirectory(state);
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "-o", "size=1m", "none", state);
        await cluster[0].StartAsync();
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await Command.OutputOfAsync("dd", "if=/dev/zero", $"of={state}/full", "bs=1k", "count=2000").ContinueWith(_ => { }, TaskScheduler.Default);
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
