using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Mounts;

namespace VolumeManager.Tests.Doctor;

/// <summary>Volumes that a host uses although others took or removed them while it was lost.</summary>
[Trait("Catalog", "postgres")]
public sealed class LostVolumeTests
{
    [Fact]
    public async Task A_volume_that_another_host_has_taken_is_told_while_a_container_has_it_and_then_let_go_of()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", new Dictionary<string, string> { ["access"] = "single-host" }));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        await cluster[1].Engine.ListAsync();
        using (await HoldingProcess.StartAsync(cluster[0].TargetOf("v"), cluster[0].Settings.StateDirectory + "/inside"))
        {
            await cluster.CutAsync(0);
            await cluster.ExpireLeaseAsync(0, "31 seconds");
            Assert.Equal("", await cluster[1].Engine.MountAsync("v", "y"));
            await cluster.HealAsync(0);
            await Poll.UntilAsync("it is mounted for nobody new here", () => cluster[0].KernelMounts().Count == 0);
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
        using (await HoldingProcess.StartAsync(cluster[0].TargetOf("v"), cluster[0].Settings.StateDirectory + "/inside"))
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
}
