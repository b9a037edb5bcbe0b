using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Services;

/// <summary>A swarm of three nodes whose hosts share nothing: one name is a volume of its own on each.</summary>
public sealed class SwarmOfThree(ITestOutputHelper output)
{
    [Theory, InstalledCluster]
    public async Task Tasks_have_the_volume_of_their_node(EngineKind engine)
    {
        await using var cluster = await Cluster.StartAsync(engine, Shares.Nothing);
        await using var scene = new ClusterScene(cluster, output);
        scene.Note("started");
        var swarm = await cluster.SwarmAsync();
        scene.Note("swarm is ready");
        var volume = scene.NewVolume();

        await swarm.CreateServiceAsync("spreads", replicas: 3, volume, "mode=0750");
        await swarm.RunsOnAsync("spreads", tasks: 3, scene.Nodes);
        scene.Note("three tasks");
        foreach (var node in scene.Nodes)
            Assert.Equal(node.Name, await node.RunAsync($"--volume {volume}:/x", "cat /x/*"));

        await swarm.UpdateAsync("spreads", "--env-add CHANGED=yes");
        await swarm.RunsOnAsync("spreads", tasks: 3, scene.Nodes);
        scene.Note("updated");

        await swarm.SetAvailabilityAsync(scene.Two, "drain");
        await swarm.RunsOnAsync("spreads", tasks: 3, scene.One, scene.Three);
        Assert.Empty(scene.Two.Daemon.KernelMounts);
        await swarm.SetAvailabilityAsync(scene.Two, "active");
        scene.Note("drained");

        await scene.Three.Cable.CutAsync();
        await swarm.StateAsync(scene.Three, "down");
        await swarm.RunsOnAsync("spreads", tasks: 3, scene.One, scene.Two);
        scene.Note("cut");
        await scene.Three.Cable.HealAsync();
        await swarm.StateAsync(scene.Three, "ready");
        scene.Note("healed");

        await scene.Three.Host.PowerOffAsync();
        await swarm.StateAsync(scene.Three, "down");
        scene.Note("power off");
        await scene.Three.Host.PowerOnAsync();
        await swarm.StateAsync(scene.Three, "ready");
        scene.Note("power on");
        await scene.EndsCleanAsync();
    }
}
