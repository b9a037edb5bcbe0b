using System.Diagnostics;
using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;

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
        await Poll.UntilAsync("the first has written", () => File.Exists(Path.Combine(scene.Cluster.DataRoot, volume, "f")));
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
        Assert.Contains("host2", await scene.Three.RefusedAsync($"run --network host --volume {volume}:/x {Image.Name} true"), StringComparison.Ordinal);
        await scene.EndsCleanAsync();
    }
}
