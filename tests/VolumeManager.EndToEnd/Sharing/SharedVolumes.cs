using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Sharing;

/// <summary>What one host does to a volume is true on every other when the command is done.</summary>
[Collection(SharedClusters.Collection)]
public sealed class SharedVolumes(SharedClusters clusters, ITestOutputHelper output)
{
    [Theory, InstalledCluster]
    public async Task A_new_volume_is_known_on_another_host_at_once(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);

        var volume = await scene.CreateVolumeAsync(scene.One, "label.team=a", "mode=0750");

        Assert.True(await scene.Two.ListsAsync(volume), $"{volume} is not in the list of host2.");
        var seen = await scene.Two.InspectAsync(volume);
        Assert.Equal("global", seen.Scope);
        Assert.Equal("host1", seen.CreatedOnHost);
        Assert.Equal("a", seen.Label("team"));
        Assert.Equal("750", await scene.Three.RunAsync($"--volume {volume}:/x", "stat -c %a /x"));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledCluster]
    public async Task A_volume_in_use_on_one_host_is_not_removed_on_another(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        await scene.One.StartContainerAsync("uses", $"--volume {volume}:/x");

        Assert.Contains("host1", await scene.Two.RefusedAsync($"volume rm {volume}"), StringComparison.Ordinal);
        await scene.One.DockerAsync("exec uses touch /x/f");

        await scene.One.DockerAsync("stop uses");
        await scene.Two.DockerAsync($"volume rm {volume}");
        Assert.Contains("no such volume", await scene.One.RefusedAsync($"volume inspect {volume}"), StringComparison.OrdinalIgnoreCase);
        Assert.False(await scene.Three.ListsAsync(volume), $"{volume} is still in the list of host3.");
        await scene.EndsCleanAsync();
    }
}
