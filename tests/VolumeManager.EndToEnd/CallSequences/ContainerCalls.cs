using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.CallSequences;

/// <summary>What an engine asks the plugin in the life of one container with one volume.</summary>
[Collection(SharedHosts.Collection)]
public sealed class ContainerCalls(SharedHosts hosts, ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task A_run_mounts_once_and_unmounts_at_its_end(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.RunAsync($"--volume {volume}:/x", "true");

        await scene.Tape.ExpectAsync("G G M(x) G U(x)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Copy_up_is_a_mount_of_its_own(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        Assert.Equal("from the image", await scene.RunAsync($"--volume {volume}:/data", "cat /data/f"));

        await scene.Tape.ExpectAsync("G G M(x) G U(x) G M(y) G U(y)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Nocopy_skips_the_copy_up(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        Assert.Equal("", await scene.RunAsync($"--volume {volume}:/data:nocopy", "ls /data"));
        await scene.Tape.ExpectAsync("G G M(x) G U(x)");

        Assert.Equal("", await scene.RunAsync($"--mount type=volume,src={volume},dst=/data,volume-nocopy", "ls /data"));
        await scene.Tape.ExpectAsync("G G M(y) G U(y)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_run_creates_the_volume_of_its_volume_driver(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);

        await scene.RunAsync($"--volume-driver volman --volume {scene.NewVolume()}:/x", "true");

        await scene.Tape.ExpectAsync("G C G M(x) G U(x)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_mount_with_options_hands_them_to_a_new_volume_only(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var mount = $"type=volume,src={scene.NewVolume()},dst=/x,volume-driver=volman";

        await scene.RunAsync($"--mount {mount},volume-opt=mode=0711", "true");
        await scene.Tape.ExpectAsync("G C(mode=0711) G M(x) G U(x)");

        await scene.RunAsync($"--mount {mount},volume-opt=mode=0722", "true");
        await scene.Tape.ExpectAsync("G G M(y) G U(y)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Every_start_has_a_new_id_and_every_end_unmounts_it(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.StartContainerAsync("ends", $"--volume {volume}:/x");
        await scene.Tape.ExpectAsync("G G M(x)");
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));
        Assert.Single(scene.Daemon.KernelMounts);

        await scene.DockerAsync("stop ends");
        await scene.Tape.ExpectAsync("G U(x)");
        Assert.Empty(scene.Daemon.KernelMounts);

        await scene.DockerAsync("start ends");
        await scene.Tape.ExpectAsync("G M(y)");
        await scene.DockerAsync("kill ends");
        await scene.Tape.ExpectAsync("G U(y)");

        await scene.DockerAsync("rm ends");
        await scene.Tape.ExpectAsync("");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_restart_unmounts_and_mounts_anew(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("again", $"--volume {volume}:/x");
        await scene.Tape.ExpectAsync("G C G G M(x)");

        await scene.DockerAsync("restart again");

        await scene.Tape.ExpectAsync("G U(x) G M(y)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_restart_policy_mounts_anew_each_time(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.StartContainerAsync("policy", $"--restart on-failure:2 --volume {volume}:/x", "exit 1");

        await scene.Tape.ExpectAsync("G G M(x) G U(x) G M(y) G U(y) G M(z) G U(z)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_start_that_fails_after_the_mount_unmounts(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.RefusedAsync($"run --network host --volume {volume}:/x {Image.Name} no-such-program");

        await scene.Tape.ExpectAsync("G G M(x) G U(x)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_refused_mount_is_never_unmounted_and_tried_again_under_a_new_id(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync("access=single-caller");
        await scene.StartContainerAsync("holds", $"--volume {volume}:/x");
        await scene.Tape.ExpectAsync("G C(access=single-caller) G G M(x)");

        await scene.RefusedAsync($"run --name waits --network host --volume {volume}:/x {Image.Name} true");
        await scene.Tape.ExpectAsync("G G M(y)");
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));

        await scene.DockerAsync("stop holds");
        await scene.DockerAsync("start --attach waits");
        await scene.Tape.ExpectAsync("G U(x) G M(z) G U(z)");
        await scene.EndsCleanAsync();
    }

    /// <summary>volume-subpath is new in Docker 26.</summary>
    [Theory, Engine28]
    public async Task A_missing_subpath_unmounts(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.RefusedAsync($"run --network host --mount type=volume,src={volume},dst=/x,volume-subpath=missing {Image.Name} true");

        await scene.Tape.ExpectAsync("G G M(x) G U(x)");
        await scene.EndsCleanAsync();
    }
}
