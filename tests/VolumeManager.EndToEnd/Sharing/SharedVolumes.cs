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
    public async Task Options_are_compared_with_those_that_were_given_on_another_host(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync(scene.One, "mode=0750", "label.team=a");

        Assert.Equal("", await scene.Two.CallVolmanAsync("Create", new { Name = volume }));
        Assert.Equal("", await scene.Two.CallVolmanAsync("Create", new { Name = volume, Opts = Options(("mode", "0750"), ("label.team", "a")) }));
        Assert.Contains("mode", await scene.Two.CallVolmanAsync("Create", new { Name = volume, Opts = Options(("mode", "0700"), ("label.team", "a")) }), StringComparison.Ordinal);

        // An engine that finds the volume passes its options on to nobody, and takes them for true.
        await scene.Three.DockerAsync($"volume create --driver volman --opt mode=0700 {volume}");
        var seen = await scene.Three.InspectAsync(volume);
        Assert.Equal("0750", seen.Option("mode"));
        Assert.Equal("a", seen.Label("team"));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledCluster]
    public async Task Hosts_that_create_one_name_at_once_agree_on_its_options(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var volume = scene.NewVolume();

        var created = await Task.WhenAll(scene.Nodes.Select((node, i) => node.TryDockerAsync($"volume create --driver volman --opt mode=07{i}0 {volume}")));

        Assert.Contains(created, command => command.Succeeded);
        Assert.All(created.Where(command => !command.Succeeded), command => Assert.Contains("exists with other options (mode", command.Errors, StringComparison.Ordinal));
        var modes = await Task.WhenAll(scene.Nodes.Select(async node => (await node.InspectAsync(volume)).Option("mode")));
        var mode = Assert.Single(modes.Distinct(StringComparer.Ordinal));
        Assert.Equal(mode, "0" + await scene.Three.RunAsync($"--volume {volume}:/x", "stat -c %a /x"));
        Assert.Equal(1, await scene.Catalog.VolumeRowsAsync(volume));
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

    static Dictionary<string, string> Options(params IEnumerable<(string Key, string Value)> options) => options.ToDictionary(option => option.Key, option => option.Value, StringComparer.Ordinal);
}
