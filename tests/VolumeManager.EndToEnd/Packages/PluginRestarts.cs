using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The plugin, or its engine, ends in the middle: containers go on, and afterwards counts are right.</summary>
[Collection(PluginHosts.Collection)]
public sealed class PluginRestarts(PluginHosts hosts, ITestOutputHelper output)
{
    /// <summary>What follows a `disable -f`, as docs/operations.md has it.</summary>
    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task Disabled_by_force_containers_go_on_and_enabled_again_all_is_as_it_was(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("goes-on", $"--volume {volume}:/x", Counting.Script);
        await scene.StartContainerAsync("ends", $"--volume {volume}:/x");
        Assert.Contains("in use", await scene.RefusedAsync($"plugin disable {PluginHost.Plugin}"), StringComparison.Ordinal);

        // SIGTERM is enough: after 10 s the engine would kill it.
        var log = scene.Engine.Log.Count;
        await scene.TimeAsync("disable -f", () => scene.DockerAsync($"plugin disable --force {PluginHost.Plugin}"));
        Assert.Null(scene.Host.Volman);
        Assert.DoesNotContain(scene.Engine.Log.Skip(log), line => line.Contains("SIGKILL", StringComparison.Ordinal));
        Assert.Empty(scene.Host.KernelMounts);
        await Counting.GoesOnAsync(LogOf(scene, volume));
        await scene.DockerAsync("stop ends");
        Assert.Contains("disabled", await scene.RefusedAsync($"run --rm --network host --volume {volume}:/x {Image.Name} true"), StringComparison.Ordinal);
        Assert.Contains("disabled", await scene.RefusedAsync($"volume rm {volume}"), StringComparison.Ordinal);
        Assert.DoesNotContain(volume, await scene.DockerAsync("volume ls"), StringComparison.Ordinal);

        await scene.DockerAsync($"plugin enable {PluginHost.Plugin}");
        await Counting.NeverNoticedAsync(scene, "goes-on", LogOf(scene, volume));
        // The one that ended meanwhile still counts: nobody could say that it left. It is dropped with the last container that holds the volume.
        await scene.IsMountedAsync(volume, count: 2);
        await scene.DockerAsync($"cp goes-on:/x/log {Path.Combine(scene.Host.Folder.Copies, "log")}");
        await scene.DockerAsync("start ends");
        await scene.DockerAsync("stop ends");
        await scene.DockerAsync("stop goes-on");
        await scene.IsMountedAsync(volume, count: 0);
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task A_kill_of_the_plugin_leaves_containers_and_counts_alone(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("first", $"--volume {volume}:/x", Counting.Script);
        await scene.StartContainerAsync("second", $"--user 1234 --volume {volume}:/x");
        var mounts = scene.Host.PluginMounts.Count(path => path.EndsWith("/" + volume, StringComparison.Ordinal));

        var killed = scene.Host.Volman!.Value;
        ProcessTable.Signal(killed, ProcessTable.SIGKILL);
        await scene.TimeAsync("The engine starts it anew", () => Poll.UntilAsync("another one runs", () => scene.Host.Volman is { } now && now != killed));

        // Waits for the socket, as each call of the engine does.
        Assert.Equal("1", await scene.RunAsync($"--volume {volume}:/x", "test -s /x/log && echo 1"));
        await Counting.NeverNoticedAsync(scene, "first", LogOf(scene, volume));
        await scene.IsMountedAsync(volume, count: 2);
        Assert.Equal(mounts, scene.Host.PluginMounts.Count(path => path.EndsWith("/" + volume, StringComparison.Ordinal)));
        await scene.DockerAsync("stop first");
        await scene.IsMountedAsync(volume, count: 1);
        await scene.DockerAsync("stop second");
        await scene.IsMountedAsync(volume, count: 0);
        await scene.EndsCleanAsync();
    }

    /// <summary>No Activate tells a managed plugin of a new engine: it sees that another process calls.</summary>
    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task After_a_kill_of_the_engine_what_it_held_is_counted_afresh_and_can_be_removed(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var (volume, lost) = (await scene.CreateVolumeAsync(), await scene.CreateVolumeAsync());
        await scene.StartContainerAsync("returns", $"--restart always --volume {volume}:/x", "while true; do touch /x/f; usleep 100000; done");
        await scene.StartContainerAsync("lost", $"--volume {lost}:/x");

        await scene.Engine.KillAsync();
        await scene.TimeAsync("Engine starts", scene.Engine.StartAsync);

        // The survivors were stopped without an Unmount. What was started anew is one, what was not is none.
        await scene.IsMountedAsync(lost, count: 0);
        await scene.IsMountedAsync(volume, count: 1);
        await scene.DockerAsync("rm lost");
        await scene.DockerAsync($"volume rm {lost}");
        await scene.DockerAsync("stop returns");
        await scene.IsMountedAsync(volume, count: 0);
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task With_live_restore_plugin_and_containers_outlive_the_engine(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        await RestartAsync(scene, liveRestore: true);
        var (volume, lost) = (await scene.CreateVolumeAsync(), await scene.CreateVolumeAsync());
        await scene.StartContainerAsync("survives", $"--user 0 --volume {volume}:/x", Counting.Script);
        await scene.StartContainerAsync("ends", $"--volume {lost}:/x", "while test ! -e /x/end; do usleep 100000; done");
        var plugin = scene.Host.Volman;

        await scene.Engine.KillAsync();
        await File.WriteAllTextAsync(Path.Combine(scene.DataOf(lost), "end"), "");
        await scene.Engine.StartAsync();

        Assert.Equal(plugin, scene.Host.Volman);
        // Longer than the grace after which what nobody holds is dropped.
        await scene.IsMountedAsync(lost, count: 0);
        await scene.IsMountedAsync(volume, count: 1);
        await Counting.NeverNoticedAsync(scene, "survives", LogOf(scene, volume));
        await scene.DockerAsync("stop survives");
        await scene.IsMountedAsync(volume, count: 0);
        await scene.RemoveContainersAsync();
        // An engine 20.10 that finds a running plugin although it has no live-restore ends it, starts it anew, unmounts its directory in between or after (HandleExitEvent), and may panic over that.
        await scene.DockerAsync($"plugin disable --force {PluginHost.Plugin}");
        await RestartAsync(scene, liveRestore: false);
        await scene.DockerAsync($"plugin enable {PluginHost.Plugin}");
        await scene.EndsCleanAsync();
    }

    /// <summary>What an engine 20.10 does at times, after a kill, to a plugin that it has just started anew: what is mounted then would reach no container.</summary>
    [Theory, InstalledPluginEngine, PluginEngine28]
    public async Task Without_its_propagated_mount_it_is_started_anew_and_containers_get_the_data(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.RunAsync($"--volume {volume}:/x", "echo before > /x/file");

        var cutOff = scene.Host.Volman!.Value;
        await scene.Host.TakePropagatedMountAsync();
        await scene.TimeAsync("The engine starts it anew", () => Poll.UntilAsync("another one runs", () => scene.Host.Volman is { } now && now != cutOff));

        Assert.Equal("before", await scene.RunAsync($"--volume {volume}:/x", "cat /x/file; echo after > /x/file"));
        Assert.Equal("after", (await File.ReadAllTextAsync(Path.Combine(scene.DataOf(volume), "file"))).Trim());
        await scene.EndsCleanAsync();
        // Its mounts of before are not the kin of those that came after.
        await scene.EndWithHostAsync();
    }

    static async Task RestartAsync(PluginScene scene, bool liveRestore)
    {
        await scene.Engine.StopAsync();
        await scene.Host.ConfigureEngineAsync(liveRestore);
        await scene.Engine.StartAsync();
    }

    static string LogOf(PluginScene scene, string volume) => Path.Combine(scene.DataOf(volume), "log");
}
