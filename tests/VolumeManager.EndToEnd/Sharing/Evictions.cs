using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Sharing;

/// <summary>A host that does not come back blocks what it held until an operator says that it is no more. If it comes back after all, it begins anew.</summary>
[Collection(SharedClusters.Collection)]
public sealed class Evictions(SharedClusters clusters, ITestOutputHelper output)
{
    [Theory, InstalledCluster, Cluster28]
    public async Task What_a_lost_host_held_is_free_when_it_is_evicted(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var shared = await scene.CreateVolumeAsync(scene.One);
        var exclusive = await scene.CreateVolumeAsync(scene.One, "access=single-host");
        await scene.Three.StartContainerAsync("holds", $"--volume {shared}:/x --volume {exclusive}:/y", "echo kept > /y/f; sleep 100000");
        await Poll.UntilAsync("it has written", () => File.Exists(Path.Combine(scene.Cluster.DataRoot, exclusive, "f")));
        var tooEarly = await scene.Catalog.TryVolmanAsync("host evict host3");
        Assert.Equal(1, tooEarly.ExitCode);
        Assert.Contains("host host3 is live", tooEarly.Errors, StringComparison.Ordinal);

        await scene.Three.Host.PowerOffAsync();
        await scene.One.SeesHoldersAsync(shared, "host3(lost)");
        scene.Note("lost");
        foreach (var volume in new[] { shared, exclusive })
            await IsRefusedWithTheCureAsync(scene.One, volume);
        Assert.Equal("lost 2", await scene.Catalog.HostAsync("host3"));

        Assert.Contains(exclusive, await scene.Catalog.VolmanAsync("host evict host3"), StringComparison.Ordinal);
        scene.Note("evicted");
        Assert.Equal("evicted 0", await scene.Catalog.HostAsync("host3"));
        await scene.One.DockerAsync($"volume rm {shared}");
        await scene.Two.StartContainerAsync("has-it-now", $"--volume {exclusive}:/y");
        Assert.Equal("kept", await scene.Two.DockerAsync("exec has-it-now cat /y/f"));
        Assert.Equal("2", (await scene.Two.InspectAsync(exclusive)).Epoch);
        Assert.Equal(0, await scene.Catalog.EventsAsync(exclusive, "takeover"));

        await scene.Three.Host.PowerOnAsync();
        scene.Note("power is back");
        await HasRejoinedAsync(scene, shared, exclusive);
        await scene.EndsCleanAsync();
    }

    static async Task IsRefusedWithTheCureAsync(Node node, string volume)
    {
        var refusal = await node.RefusedAsync($"volume rm {volume}");
        Assert.Contains("in use on host host3 ", refusal, StringComparison.Ordinal);
        Assert.Contains("volman host evict host3", refusal, StringComparison.Ordinal);
    }

    /// <summary>It knows that it holds nothing any more, and can hold what is free.</summary>
    static async Task HasRejoinedAsync(ClusterScene scene, string removed, string taken)
    {
        var three = scene.Three;
        Assert.Equal("live 0", await Poll.ForAsync("live 0", () => scene.Catalog.HostAsync("host3")));
        await three.IsUpToDateAsync(taken);
        Assert.Empty(three.Daemon.KernelMounts);
        Assert.False(await three.ListsAsync(removed), $"{removed} is still in the list of host3.");
        Assert.Equal("host2", (await three.InspectAsync(taken)).Holders);
        Assert.Contains("host2", await three.RefusedAsync($"run --network host --volume {taken}:/y {Image.Name} true"), StringComparison.Ordinal);

        await scene.Two.DockerAsync("stop has-it-now");
        Assert.Equal("kept", await three.RunAsync($"--volume {taken}:/y", "cat /y/f"));
        var another = await scene.CreateVolumeAsync(three);
        await three.StartContainerAsync("again", $"--volume {another}:/x");
        Assert.Equal("host3=1", await scene.Catalog.UsersAsync(another));
    }
}
