using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>`docker plugin upgrade`, from a real registry.</summary>
[Collection(PluginHosts.Collection)]
public sealed class PluginUpgrade(PluginHosts hosts, ITestOutputHelper output)
{
    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task Volumes_containers_and_settings_survive_and_another_state_directory_is_refused(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        await using var registry = await scene.Host.StartRegistryAsync();
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("goes-on", $"--volume {volume}:/x", Counting.Script);
        await scene.TimeAsync("plugin/build.sh --push", () => PushNextAsync(scene));

        var next = $"{PluginRegistry.OwnAddress}/volman:next";
        Assert.Contains("must be disabled", await scene.RefusedAsync($"plugin upgrade --grant-all-permissions --skip-remote-check {PluginHost.Plugin} {next}"), StringComparison.Ordinal);
        await scene.DockerAsync($"plugin disable --force {PluginHost.Plugin}");
        await scene.TimeAsync("plugin upgrade", () => scene.DockerAsync($"plugin upgrade --grant-all-permissions --skip-remote-check {PluginHost.Plugin} {next}"));
        Assert.True(File.Exists(Path.Combine(scene.Host.Folder["docker/plugins"], await IdAsync(scene), "rootfs/next")));

        // The engine put the directories back to those of config.json. There, a new catalog would be empty.
        await scene.Host.InsideAsync("mkdir", "-p", "/var/lib/volman/volumes");
        await scene.RefusedAsync($"plugin enable {PluginHost.Plugin}");
        Assert.Contains(scene.Engine.Log, line => line.Contains("the state directory is not the one", StringComparison.Ordinal));
        Assert.Equal("", await scene.Host.InsideAsync("find", "/var/lib/volman", "-type", "f"));
        await scene.Host.InsideAsync("rm", "-r", "/var/lib/volman");

        await scene.DockerAsync($"plugin set {PluginHost.Plugin} state.source={scene.Host.State} data.source={scene.Host.Data}");
        await scene.DockerAsync($"plugin enable {PluginHost.Plugin}");
        await Counting.NeverNoticedAsync(scene, "goes-on", Path.Combine(scene.DataOf(volume), "log"));
        await scene.IsMountedAsync(volume, count: 1);
        Assert.Contains("VOLMAN_USAGE_INTERVAL=0", await scene.DockerAsync($"plugin inspect --format {{{{.Settings.Env}}}} {PluginHost.Plugin}"), StringComparison.Ordinal);
        await scene.DockerAsync("stop goes-on");
        await scene.IsMountedAsync(volume, count: 0);
        Assert.Equal("1", await scene.RunAsync($"--volume {volume}:/x", "test -s /x/log && echo 1"));
        await scene.EndsCleanAsync();
    }

    /// <summary>The same program in an image that differs: an engine takes nothing for an upgrade that it has already.</summary>
    static async Task PushNextAsync(PluginScene scene)
    {
        var image = $"{PluginImage.Name}:next";
        await File.WriteAllTextAsync(scene.Host.Folder["next"], "");
        var container = await scene.DockerAsync($"create {PluginImage.Name} true");
        await scene.DockerAsync($"cp {scene.Host.Folder["next"]} {container}:/next");
        await scene.DockerAsync($"commit {container} {image}");
        await scene.DockerAsync($"rm {container}");
        await scene.Host.BuildAsync("--image", image, "--name", $"{PluginRegistry.OwnAddress}/volman", "--tag", "next", "--push");
        await scene.DockerAsync($"plugin rm {PluginRegistry.OwnAddress}/volman:next");
    }

    static Task<string> IdAsync(PluginScene scene) => scene.DockerAsync($"plugin inspect --format {{{{.Id}}}} {PluginHost.Plugin}");
}
