using System.Diagnostics;
using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Sharing;

/// <summary>A volume for one host at a time goes to another only when the first cannot be writing any more.</summary>
[Collection(SharedClusters.Collection)]
public sealed class Takeover(SharedClusters clusters, ITestOutputHelper output)
{
    [Theory, InstalledCluster, Cluster28]
    public async Task Another_host_takes_over_from_one_without_power(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync(scene.One, "access=single-host");
        await scene.Three.StartContainerAsync("first", $"--restart always --volume {volume}:/x", "echo kept > /x/f; sleep 100000");
        await scene.Two.MakeContainerAsync("second", $"--volume {volume}:/x");
        Assert.Contains("host3", await scene.Two.RefusedAsync("start second"), StringComparison.Ordinal);

        var clock = Stopwatch.StartNew();
        await scene.Three.Host.PowerOffAsync();
        await Poll.UntilAsync("host2 takes over", async () => (await scene.Two.TryDockerAsync("start second")).Succeeded, TimeSpan.FromMinutes(1));
        scene.Note($"taken over {clock.Elapsed.TotalSeconds:0.0} s after the power-off");

        // The lease may have been renewed some time before the power went, the grace begins when it has run out.
        Assert.True(clock.Elapsed > DaemonSettings.TakeoverGrace, $"Taken over after {clock.Elapsed}: host3 could still have been alive.");
        Assert.Equal("kept", await scene.Two.DockerAsync("exec second cat /x/f"));
        Assert.Equal("2", (await scene.Two.InspectAsync(volume)).Epoch);

        await scene.Three.Host.PowerOnAsync();
        scene.Note("power is back");
        Assert.Equal("false", await scene.Three.DockerAsync("inspect --format {{.State.Running}} first"));
        Assert.Equal("host2", (await scene.Three.InspectAsync(volume)).Holders);
        Assert.Contains("host2", await scene.Three.RefusedAsync($"run --network none --volume {volume}:/x {Image.Name} true"), StringComparison.Ordinal);
        await scene.EndsCleanAsync();
    }

    /// <summary>The swarm takes a node for dead that only it cannot reach. PostgreSQL knows better.</summary>
    [Theory, InstalledCluster]
    public async Task A_task_waits_for_a_host_that_only_the_swarm_has_lost(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var swarm = await scene.Cluster.SwarmAsync();
        var volume = scene.NewVolume();
        await swarm.SetAvailabilityAsync(scene.One, "drain");
        await swarm.SetAvailabilityAsync(scene.Two, "drain");
        await swarm.CreateServiceAsync("waits", replicas: 1, volume, "access=single-host");
        await swarm.RunsOnAsync("waits", tasks: 1, scene.Three);
        await swarm.SetAvailabilityAsync(scene.One, "active");

        await scene.Three.Cable.CutAsync();
        await swarm.StateAsync(scene.Three, "down");
        // Longer than a takeover takes.
        await Task.Delay(DaemonSettings.Lease + DaemonSettings.TakeoverGrace + TimeSpan.FromSeconds(2));
        Assert.Equal("host3", (await scene.One.InspectAsync(volume)).Holders);
        Assert.Equal("host3", await scene.Three.InTaskAsync("waits", "cat /x/*"));
        scene.Note("nobody else has it");

        // Else the next attempt might be on host3 itself, which may have it.
        await swarm.SetAvailabilityAsync(scene.Three, "drain");
        await scene.Three.Cable.HealAsync();
        await swarm.RunsOnAsync("waits", tasks: 1, scene.One);
        scene.Note("it has moved");
        await scene.One.SeesHoldersAsync(volume, "host1");
        foreach (var node in new[] { scene.Two, scene.Three })
            await swarm.SetAvailabilityAsync(node, "active");
        await scene.EndsCleanAsync();
    }
}
