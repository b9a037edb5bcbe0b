using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Restarts;

/// <summary>
/// The engine ends and comes back while the daemon runs on. What it sends then differs from case to case;
/// whatever it was, when all containers are stopped nothing is mounted.
/// </summary>
public sealed class EngineRestarts(ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task A_graceful_stop_unmounts_and_the_next_start_mounts_anew(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("returns", $"--restart always --volume {volume}:/x", Counting.Script);
        await scene.Tape.ExpectAsync("Activate Capabilities G C G G M(x)");

        await scene.TimeAsync("Engine stops", scene.Engine.StopAsync);
        await scene.Tape.ExpectAsync("G U(x)");
        await scene.NothingIsMountedAsync();

        await scene.TimeAsync("Engine starts", scene.Engine.StartAsync);
        await scene.Tape.ExpectAsync("Activate Capabilities G G G M(y)");
        await Counting.GoesOnAsync(scene, volume);

        await scene.DockerAsync("stop returns");
        await scene.Tape.ExpectAsync("G U(y)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task After_a_kill_the_engine_stops_survivors_without_unmount_and_mounts_the_same_id(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("returns", $"--restart always --volume {volume}:/x", Counting.Script);
        await scene.Tape.SkipAsync();

        await scene.Engine.KillAsync();
        await Counting.GoesOnAsync(scene, volume);
        await scene.Tape.ExpectAsync("");

        await scene.Engine.StartAsync();
        await scene.Tape.ExpectAsync("Activate Capabilities G G G M(x)");
        await Counting.GoesOnAsync(scene, volume);
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));

        await scene.DockerAsync("stop returns");
        await scene.Tape.ExpectAsync("G U(x)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_mount_that_no_engine_will_ever_undo_is_dropped_after_the_grace(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("forgotten", $"--volume {volume}:/x");
        await scene.Tape.SkipAsync();

        await scene.Engine.KillAsync();
        await scene.Engine.StartAsync();
        await scene.DockerAsync("rm forgotten");
        await scene.Tape.ExpectAsync("Activate Capabilities G G");

        await scene.TimeAsync("Mount is dropped", scene.NothingIsMountedAsync);
        await scene.DockerAsync($"volume rm {volume}");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_crash_of_engine_and_containers_leaves_one_mount_of_the_same_id(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("returns", $"--restart always --volume {volume}:/x", Counting.Script);
        await scene.Tape.SkipAsync();

        await scene.Engine.CrashAsync();
        await scene.Engine.StartAsync();

        await scene.Tape.ExpectAsync("Activate Capabilities G G G M(x)");
        await Counting.GoesOnAsync(scene, volume);
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));

        await scene.DockerAsync($"cp returns:/x/log {scene.Host.Folder["copies/log"]}");
        await scene.Tape.ExpectAsync("G M(x) G U(x)");
        Assert.Single(scene.Daemon.KernelMounts);

        await scene.DockerAsync("stop returns");
        await scene.Tape.ExpectAsync("G U(x)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task After_a_power_cut_everything_is_mounted_again(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        var still = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("returns", $"--restart always --volume {volume}:/x", Counting.Script);
        await scene.StartContainerAsync("stays-down", $"--volume {still}:/x");
        await scene.Tape.SkipAsync();

        await scene.TimeAsync("Power cycle", host.PowerCycleAsync);

        await Counting.GoesOnAsync(scene, volume);
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));
        Assert.Equal(0, await scene.Daemon.Catalog.MountCountAsync(still));
        Assert.Single(scene.Daemon.KernelMounts);

        await scene.DockerAsync($"cp returns:/x/log {scene.Host.Folder["copies/log"]}");
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));
        await scene.DockerAsync("stop returns");
        await scene.EndsCleanAsync();
    }
}
