using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Sharing;

/// <summary>A host boots anew: what it had mounted before is true no more, whatever the shared catalog says.</summary>
[Collection(SharedClusters.Collection)]
public sealed class PowerCuts(SharedClusters clusters, ITestOutputHelper output)
{
    [Theory, InstalledCluster, Cluster28]
    public async Task Mounts_of_the_earlier_boot_are_dropped_and_containers_come_back(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        var still = await scene.CreateVolumeAsync(scene.One);
        await scene.One.StartContainerAsync("stays", $"--volume {volume}:/x", Counting.ScriptFor("host1"));
        await scene.Two.StartContainerAsync("returns", $"--restart always --volume {volume}:/x", Counting.ScriptFor("host2"));
        await scene.Two.StartContainerAsync("stays-down", $"--volume {volume}:/x --volume {still}:/y");
        Assert.Equal("host1=1 host2=2", await scene.Catalog.UsersAsync(volume));
        Assert.Equal("host2=1", await scene.Catalog.UsersAsync(still));

        await scene.Two.Host.PowerCycleAsync();
        scene.Note("power-cycled");

        await Counting.GoesOnAsync(Path.Combine(scene.Cluster.DataRoot, volume, "host2"));
        Assert.Equal("host1=1 host2=1", await Poll.ForAsync("host1=1 host2=1", () => scene.Catalog.UsersAsync(volume)));
        Assert.Equal("", await scene.Catalog.UsersAsync(still));
        Assert.Single(scene.Two.Daemon.KernelMounts);
        await Counting.NeverNoticedAsync(scene.One, "stays", Path.Combine(scene.Cluster.DataRoot, volume, "host1"));
        await scene.EndsCleanAsync();
    }
}
