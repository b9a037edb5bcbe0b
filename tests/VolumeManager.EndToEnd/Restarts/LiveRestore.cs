using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Restarts;

/// <summary>With --live-restore containers run on without their engine, which mounts nothing when it is back: the mount must still be there.</summary>
public sealed class LiveRestore(ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task A_graceful_restart_of_the_engine_keeps_the_mount(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine, liveRestore: true);
        await using var scene = new Scene(host, output);
        var volume = await StartCountingAsync(scene);

        await scene.Engine.StopAsync();
        await scene.Tape.ExpectAsync("");
        await scene.Engine.StartAsync();

        await scene.Tape.ExpectAsync(RestoreCalls(scene.Engine));
        await KeepsItsMountAsync(scene, volume);
        await scene.DockerAsync("stop survives");
        await scene.Tape.ExpectAsync("G U(x)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_kill_of_the_engine_keeps_the_mount_through_copies(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine, liveRestore: true);
        await using var scene = new Scene(host, output);
        var volume = await StartCountingAsync(scene);

        await scene.Engine.KillAsync();
        await scene.Engine.StartAsync();
        await scene.Tape.ExpectAsync(RestoreCalls(scene.Engine));
        await KeepsItsMountAsync(scene, volume);

        await scene.DockerAsync($"cp survives:/x/log {scene.Host.Folder["copies/log"]}");
        await scene.Tape.ExpectAsync("G M(x) G U(x)");
        await KeepsItsMountAsync(scene, volume);

        await scene.DockerAsync("stop survives");
        // Old engines lost count: after a copy their stop sends no Unmount, and the daemon must find out itself.
        await scene.Tape.ExpectAsync(scene.Engine.LiveRestoreKeepsCounts ? "G U(x)" : "");
        await scene.TimeAsync("Mount is dropped", scene.NothingIsMountedAsync);

        await scene.DockerAsync("start survives");
        await Counting.GoesOnAsync(scene, volume);
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));
        await scene.DockerAsync("stop survives");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_container_that_ends_without_its_engine_is_unmounted_in_the_end(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine, liveRestore: true);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("survives", $"--volume {volume}:/x", "while test ! -e /x/end; do usleep 100000; done");
        await scene.Tape.SkipAsync();

        await scene.Engine.KillAsync();
        await File.WriteAllTextAsync(Path.Combine(scene.Daemon.DataRoot, volume, "end"), "");
        await scene.Engine.StartAsync();

        await scene.NothingIsMountedAsync();
        await scene.EndsCleanAsync();
    }

    /// <summary>A known volume, its container, and, where counts are kept, its running mount.</summary>
    static string RestoreCalls(Engine engine) => "Activate Capabilities G G" + (engine.LiveRestoreKeepsCounts ? " G" : "");

    static async Task<string> StartCountingAsync(Scene scene)
    {
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("survives", $"--volume {volume}:/x", Counting.Script);
        await scene.Tape.ExpectAsync("Activate Capabilities G C G G M(x)");
        return volume;
    }

    static async Task KeepsItsMountAsync(Scene scene, string volume)
    {
        // Longer than the grace after which the daemon drops what nobody holds.
        await Task.Delay(Daemons.Daemon.EngineGrace + TimeSpan.FromSeconds(2));
        await Counting.NeverNoticedAsync(scene, "survives", volume);
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));
        Assert.Single(scene.Daemon.KernelMounts);
    }
}
