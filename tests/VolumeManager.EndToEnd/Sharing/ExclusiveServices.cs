using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Sharing;

/// <summary>A service of one task, whose volume is for one host at a time: where the task goes, the volume follows.</summary>
[Collection(SharedClusters.Collection)]
public sealed class ExclusiveServices(SharedClusters clusters, ITestOutputHelper output)
{
    [Theory, InstalledCluster]
    public async Task The_volume_follows_a_task_whose_node_is_drained(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var swarm = await scene.Cluster.SwarmAsync();
        var volume = await StartOnThreeAsync(scene, swarm, "follows");

        await swarm.SetAvailabilityAsync(scene.Three, "drain");
        await swarm.RunsOnAsync("follows", tasks: 1, scene.One);
        scene.Note("moved");

        await scene.One.TaskReadsAsync("follows", "host1 host3");
        await scene.Three.SeesHoldersAsync(volume, "host1");
        // It was handed over, not taken.
        Assert.Equal("1", (await scene.One.InspectAsync(volume)).Epoch);
        Assert.Empty(scene.Three.Daemon.KernelMounts);
        await EndsCleanAsync(scene, swarm);
    }

    [Theory, InstalledCluster, Cluster28]
    public async Task The_volume_follows_a_task_whose_node_has_no_power(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var swarm = await scene.Cluster.SwarmAsync();
        var volume = await StartOnThreeAsync(scene, swarm, "follows");
        await scene.Three.TaskReadsAsync("follows", "host3");

        await scene.Three.Host.PowerOffAsync();
        // Until lease and grace are over each attempt is refused, and the swarm makes another.
        await swarm.RunsOnAsync("follows", tasks: 1, scene.One);
        scene.Note("moved");

        await scene.One.TaskReadsAsync("follows", "host1 host3");
        Assert.Equal("2", (await scene.One.InspectAsync(volume)).Epoch);
        Assert.Equal(1, await scene.Catalog.EventsAsync(volume, "takeover"));
        await scene.Three.Host.PowerOnAsync();
        scene.Note("power is back");
        await scene.Three.SeesHoldersAsync(volume, "host1");
        Assert.Empty(scene.Three.Daemon.KernelMounts);
        await swarm.RunsOnAsync("follows", tasks: 1, scene.One);
        await EndsCleanAsync(scene, swarm);
    }

    /// <summary>The swarm takes a node for dead that only it cannot reach. PostgreSQL knows better.</summary>
    [Theory, InstalledCluster]
    public async Task A_task_waits_for_a_host_that_only_the_swarm_has_lost(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var swarm = await scene.Cluster.SwarmAsync();
        var volume = await StartOnThreeAsync(scene, swarm, "waits");

        await scene.Three.Cable.CutAsync();
        await swarm.StateAsync(scene.Three, "down");
        // Longer than a takeover takes.
        await Task.Delay(DaemonSettings.Lease + DaemonSettings.TakeoverGrace + TimeSpan.FromSeconds(2));
        Assert.Equal("host3", (await scene.One.InspectAsync(volume)).Holders);
        await scene.Three.TaskReadsAsync("waits", "host3");
        scene.Note("nobody else has it");

        // Else the next attempt might be on host3 itself, which may have it.
        await swarm.SetAvailabilityAsync(scene.Three, "drain");
        await scene.Three.Cable.HealAsync();
        await swarm.RunsOnAsync("waits", tasks: 1, scene.One);
        scene.Note("it has moved");
        await scene.One.SeesHoldersAsync(volume, "host1");
        await EndsCleanAsync(scene, swarm);
    }

    /// <summary>Its task runs on host3, and can go to host1 only.</summary>
    static async Task<string> StartOnThreeAsync(ClusterScene scene, Swarm swarm, string service)
    {
        var volume = scene.NewVolume();
        await swarm.SetAvailabilityAsync(scene.One, "drain");
        await swarm.SetAvailabilityAsync(scene.Two, "drain");
        await swarm.CreateServiceAsync(service, replicas: 1, volume, "access=single-host");
        await swarm.RunsOnAsync(service, tasks: 1, scene.Three);
        await swarm.SetAvailabilityAsync(scene.One, "active");
        return volume;
    }

    static async Task EndsCleanAsync(ClusterScene scene, Swarm swarm)
    {
        foreach (var node in new[] { scene.Two, scene.Three })
            await swarm.SetAvailabilityAsync(node, "active");
        await scene.EndsCleanAsync();
    }
}
