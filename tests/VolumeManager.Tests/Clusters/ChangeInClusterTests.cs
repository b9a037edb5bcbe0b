using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Copies;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>Options that several hosts change, and volumes that move from the shared directory to an export, in a cluster.</summary>
[Trait("Catalog", "postgres")]
public sealed class ChangeInClusterTests
{
    static async Task<string> DoneAsync(TestHost host, params string[] arguments)
    {
        var ended = await VolmanProcess.RunAsync([.. arguments, "--admin-socket", host.Settings.AdminSocket], null);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        return ended.Output;
    }

    [Fact]
    public async Task Hosts_that_set_options_at_once_lose_none_and_all_hear_of_them()
    {
        await using var cluster = await TestCluster.StartNewAsync(3);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await Task.WhenAll(Enumerable.Range(0, 3).SelectMany(i => new[] { DoneAsync(cluster[i], "volume", "set", "v", $"label.l{i}=x", $"size={i + 1}G"), DoneAsync(cluster[i], "volume", "set", "v", $"label.m{i}=y") }));
        Assert.Equal("l0 l1 l2 m0 m1 m2", await cluster.ScalarAsync<string>("SELECT string_agg(key, ' ' ORDER BY key) FROM volume_labels"));
        // Whoever was last: column, option and the end of the history say the same.
        Assert.Equal(1, await cluster.ScalarAsync<long>("""
            SELECT count(*) FROM volumes v JOIN volume_options o ON o.volume_id = v.id AND o.key = 'size'
            WHERE o.value = v.size_bytes / 1073741824 || 'G' AND o.value = (SELECT new_value FROM option_changes WHERE key = 'size' AND new_value NOT IN (SELECT old_value FROM option_changes WHERE key = 'size' AND old_value IS NOT NULL))
            """));
        Assert.Equal(9L, await cluster.ScalarAsync<long>("SELECT count(*) FROM option_changes"));
        foreach (var host in cluster.Hosts)
        {
            await Poll.UntilAsync("every host hears", async () => (await ClusterTests.StatusAsync(host.Engine, "v")).GetProperty("Labels").EnumerateObject().Count() == 6);
            Assert.Equal("", await host.Engine.CreateAsync("v"));
        }

        // What another host has mounted.
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        VolmanProcess.AssertRefused(
            "option access of volume v cannot be changed while it is mounted, and it is in use on host host-1 .+",
            await VolmanProcess.RunAsync(["volume", "set", "v", "access=single-host", "--admin-socket", cluster[0].Settings.AdminSocket], null));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "x"));
    }

    [Fact]
    public async Task Access_does_not_change_behind_the_back_of_a_host_that_is_cut_off()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, lease: TimeSpan.FromSeconds(3));
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        cluster.Links[1].Cut();
        await Poll.UntilAsync("the host is lost", async () => (await DoneAsync(cluster[0], "host", "ls")).Contains("lost", StringComparison.Ordinal));
        VolmanProcess.AssertRefused(
            "option access of volume v cannot be changed now, for host host-1 is cut off and may mount the volume as it was: .+",
            await VolmanProcess.RunAsync(["volume", "set", "v", "access=single-host", "--admin-socket", cluster[0].Settings.AdminSocket], null));
        // What only who mounts it next is concerned with.
        await DoneAsync(cluster[0], "volume", "set", "v", "label.a=b");
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "cut-off"));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "cut-off"));

        await cluster.HealAsync(1);
        await Poll.UntilAsync("the host is back", async () => !(await DoneAsync(cluster[0], "host", "ls")).Contains("lost", StringComparison.Ordinal));
        await DoneAsync(cluster[0], "volume", "set", "v", "access=single-host");
        await Poll.UntilAsync("the other host knows", async () => (await DoneAsync(cluster[1], "volume", "inspect", "v")).Contains("single-host", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_volume_moves_to_an_export_and_every_host_knows()
    {
        using var served = new ScratchFolder();
        var exportfs = new ExportfsStandIn();
        await using var cluster = await TestCluster.StartNewAsync(2, start: false);
        foreach (var host in cluster.Hosts)
        {
            // Not mounted in this test: here the kernel may have no NFS. The serving host uses its directory directly.
            host.Settings = host.Settings with { NfsServer = "served.invalid", NfsExport = "/e", Address = $"192.0.2.{(host == cluster[0] ? 0 : 1)}" };
            if (host == cluster[0]) host.Settings = host.Settings with { ExportDirectory = served.FullPath, ExportPlaces = exportfs.Places };
            await host.StartAsync();
        }

        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", new { size = "1G" }));
        await CopyTests.FillAsync(cluster[0].DataOf("v"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        VolmanProcess.AssertRefused(
            "volume v is in use on host host-1 .+", await VolmanProcess.RunAsync(["volume", "move", "v", "--server", "served.invalid", "--export", "/e", "--admin-socket", cluster[0].Settings.AdminSocket], null));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "x"));
        await Poll.UntilAsync("the export is served", () => exportfs.Clients == "192.0.2.1");

        Assert.Equal("Volume v is at served.invalid:/e/v.\n", await DoneAsync(cluster[0], "volume", "move", "v", "--server", "served.invalid", "--export", "/e"));
        Assert.Equal("one\n", await File.ReadAllTextAsync($"{served}/v/a/one"));
        await Poll.UntilAsync("the other host hears", async () => (await ClusterTests.StatusAsync(cluster[1].Engine, "v")).GetProperty("Directory").GetString() == "served.invalid:/e/v");
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
        // What it was made with is asked for by every task of a service.
        foreach (var host in cluster.Hosts) Assert.Equal("", await host.Engine.CreateAsync("v", new { size = "1G" }));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Equal("one\n", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/a/one"));
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "x"));
        Assert.Matches("v\\.moved-.+ trashed ", await DoneAsync(cluster[1], "trash", "ls"));

        // And back.
        Assert.Equal($"Volume v is at {cluster[0].DataOf("v")}.\n", await DoneAsync(cluster[0], "volume", "move", "v", "--backend", "local"));
        Assert.Equal("one\n", await File.ReadAllTextAsync(cluster[1].DataOf("v") + "/a/one"));
        await cluster[0].StopAsync();
        // Some of the copied names are no text, and .NET cannot delete those.
        await Command.OutputOfAsync("rm", "-rf", served.Of("v"), served.Of(".trash"), cluster[0].Settings.DataRoot + "/v");
        await Command.OutputOfAsync("sh", "-c", $"rm -rf {cluster[0].Settings.DataRoot}/.trash/*");
    }

    [Fact]
    public async Task While_one_host_copies_a_volume_no_other_mounts_removes_or_finishes_it()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, TimeSpan.FromSeconds(6));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await Command.OutputOfAsync("sh", "-ec", $"cd '{cluster[0].DataOf("v")}'; for i in $(seq 20000); do : > f$i; done");
        var cloning = DoneAsync(cluster[0], "volume", "clone", "v", "w");
        await Poll.UntilAsync("the copy has begun", () => Directory.GetDirectories(cluster[0].DataOf(".trash"), "*.copying").Length > 0);
        Assert.Equal("volume v is being restored or copied: try again when that is done", await cluster[1].Engine.MountAsync("v", "x"));
        Assert.Equal("volume v is being restored or copied by a host of the cluster at this moment: try again when that is done", await cluster[1].Engine.RemoveAsync("v"));
        Assert.Equal($"Volume w is at {cluster[0].DataOf("w")}.\n", await cloning);
        Assert.Equal(20000, Directory.GetFiles(cluster[0].DataOf("w")).Length);
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "x"));
    }
}
