using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Sharing;

/// <summary>A service whose tasks, on all nodes, have one volume: they create it themselves, all at once.</summary>
[Collection(SharedClusters.Collection)]
public sealed class SharedServices(SharedClusters clusters, ITestOutputHelper output)
{
    [Theory, InstalledCluster, Cluster28]
    public async Task A_service_with_three_tasks_shares_one_volume(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var swarm = await scene.Cluster.SwarmAsync();
        var volume = scene.NewVolume();

        await swarm.CreateServiceAsync("shares", replicas: 3, volume, "mode=0750", "label.team=a");
        await swarm.RunsOnAsync("shares", tasks: 3, scene.Nodes);
        scene.Note("three tasks run");

        Assert.Equal(1, await scene.Catalog.VolumeRowsAsync(volume));
        Assert.Equal("host1=1 host2=1 host3=1", await scene.Catalog.UsersAsync(volume));
        Assert.Equal([volume], scene.Cluster.VolumeDirectories);
        foreach (var node in scene.Nodes)
        {
            await node.TaskReadsAsync("shares", "host1 host2 host3");
            Assert.Single(node.Daemon.KernelMounts);
            await node.SeesHoldersAsync(volume, "host1 host2 host3");
            var seen = await node.InspectAsync(volume);
            Assert.Equal("global", seen.Scope);
            Assert.Equal("0750", seen.Option("mode"));
            Assert.Equal("a", seen.Label("team"));
        }
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledCluster]
    public async Task A_rolling_update_ends_with_one_user_a_host(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var swarm = await scene.Cluster.SwarmAsync();
        var volume = scene.NewVolume();
        await swarm.CreateServiceAsync("rolls", replicas: 3, volume);
        await swarm.RunsOnAsync("rolls", tasks: 3, scene.Nodes);

        await swarm.UpdateAsync("rolls", "--env-add CHANGED=yes");
        scene.Note("updated");

        await swarm.RunsOnAsync("rolls", tasks: 3, scene.Nodes);
        foreach (var node in scene.Nodes)
            await node.TaskReadsAsync("rolls", "host1 host1 host2 host2 host3 host3");
        // A task runs a moment before its predecessor's Unmount is through.
        Assert.Equal("host1=1 host2=1 host3=1", await Poll.ForAsync("host1=1 host2=1 host3=1", () => scene.Catalog.UsersAsync(volume)));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledCluster]
    public async Task A_drained_node_uses_the_volume_no_more(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var swarm = await scene.Cluster.SwarmAsync();
        var volume = scene.NewVolume();
        await swarm.CreateServiceAsync("moves", replicas: 3, volume);
        await swarm.RunsOnAsync("moves", tasks: 3, scene.Nodes);

        await swarm.SetAvailabilityAsync(scene.Two, "drain");
        await swarm.RunsOnAsync("moves", tasks: 3, scene.One, scene.Three);
        scene.Note("moved");

        Assert.Contains("host2", await scene.One.RunAsync($"--volume {volume}:/x", "cat /x/*"), StringComparison.Ordinal);
        await scene.One.SeesHoldersAsync(volume, "host1 host3");
        Assert.Empty(scene.Two.Daemon.KernelMounts);
        await scene.Two.SeesHoldersAsync(volume, "host1 host3");
        await swarm.SetAvailabilityAsync(scene.Two, "active");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledCluster]
    public async Task Tasks_of_a_host_without_power_come_up_elsewhere_and_find_the_data(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var swarm = await scene.Cluster.SwarmAsync();
        var volume = scene.NewVolume();
        await swarm.CreateServiceAsync("survives", replicas: 3, volume);
        await swarm.RunsOnAsync("survives", tasks: 3, scene.Nodes);
        await scene.One.TaskReadsAsync("survives", "host1 host2 host3");

        await scene.Three.Host.PowerOffAsync();
        await swarm.RunsOnAsync("survives", tasks: 3, scene.One, scene.Two);
        scene.Note("came up elsewhere");

        Assert.Contains("host3", await scene.One.RunAsync($"--volume {volume}:/x", "cat /x/*"), StringComparison.Ordinal);
        await scene.One.SeesHoldersAsync(volume, "host1 host2 host3(lost)");
        await scene.Three.Host.PowerOnAsync();
        scene.Note("power is back");
        await scene.EndsCleanAsync();
    }
}
