using System.Diagnostics;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Restarts;

/// <summary>The daemon ends and comes back, under the engine's own socket path and without a recorder: the engine meets the real thing.</summary>
public sealed class DaemonRestarts(ITestOutputHelper output)
{
    static readonly TimeSpan s_looping = TimeSpan.FromSeconds(30);

    [Theory, InstalledEngine, Engine28]
    public async Task Running_containers_never_notice_a_kill(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine, recorded: false);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("first", $"--volume {volume}:/x", Counting.Script);
        await scene.StartContainerAsync("second", $"--volume {volume}:/x");
        await Counting.GoesOnAsync(scene, volume);

        await scene.Daemon.KillAsync();
        await Counting.GoesOnAsync(scene, volume);
        await scene.TimeAsync("Daemon starts", scene.Daemon.StartAsync);

        await Counting.NeverNoticedAsync(scene, "first", volume);
        Assert.Equal(2, await scene.Daemon.Catalog.MountCountAsync(volume));
        Assert.Single(scene.Daemon.KernelMounts);

        await scene.DockerAsync("stop first");
        Assert.Single(scene.Daemon.KernelMounts);
        await scene.DockerAsync("stop second");
        await scene.NothingIsMountedAsync();
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_stop_without_the_daemon_is_made_up_for_when_it_is_back(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine, recorded: false);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("only", $"--volume {volume}:/x");

        await scene.Daemon.TerminateAsync();
        // The engine repeats the call for 15 s.
        var stopping = scene.DockerAsync("stop only");
        await scene.Daemon.StartAsync();
        await stopping;

        await scene.NothingIsMountedAsync();
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task No_run_fails_while_the_daemon_restarts_again_and_again(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine, recorded: false);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync();
        var clock = Stopwatch.StartNew();
        var restarts = 0;
        var restarting = Task.Run(async () =>
        {
            for (; clock.Elapsed < s_looping; restarts++)
            {
                await Task.Delay(TimeSpan.FromSeconds(1));
                await (restarts % 2 == 0 ? scene.Daemon.TerminateAsync() : scene.Daemon.KillBetweenCallsAsync());
                await scene.Daemon.StartAsync();
            }
        });

        var runs = 0;
        for (; !restarting.IsCompleted; runs++)
            await scene.RunAsync($"--volume {volume}:/x", $"echo {runs} >> /x/log");
        await restarting;

        output.WriteLine($"{runs} runs, {restarts} restarts of the daemon in {clock.Elapsed.TotalSeconds:0} s");
        var log = await File.ReadAllLinesAsync(Path.Combine(scene.Daemon.DataRoot, volume, "log"));
        Assert.Equal(Enumerable.Range(0, runs).Select(run => $"{run}"), log);
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Another_binary_takes_over_the_same_state(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine, recorded: false);
        await using var scene = new Scene(host, output);
        var volume = await scene.CreateVolumeAsync("label.owner=me");
        await scene.StartContainerAsync("stays", $"--volume {volume}:/x", Counting.Script);
        var before = await scene.DockerAsync("volume inspect", volume);

        await scene.Daemon.TerminateAsync();
        var folder = Directory.CreateDirectory(host.Folder["upgraded"]).FullName;
        foreach (var file in Directory.EnumerateFiles(DaemonBinary.Folder))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        scene.Daemon.Binary = Path.Combine(folder, Path.GetFileName(DaemonBinary.Path));
        await scene.TimeAsync("Upgraded daemon starts", scene.Daemon.StartAsync);

        Assert.Equal(before, await scene.DockerAsync("volume inspect", volume));
        await Counting.NeverNoticedAsync(scene, "stays", volume);
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));
        await scene.EndsCleanAsync();
    }
}
