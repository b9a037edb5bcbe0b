using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.CallSequences;

/// <summary>What an engine asks the plugin when a volume has several users.</summary>
[Collection(SharedHosts.Collection)]
public sealed class SharedVolumeCalls(SharedHosts hosts, ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task Two_containers_hold_one_kernel_mount_until_both_ended(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.StartContainerAsync("first", $"--volume {volume}:/x");
        await scene.StartContainerAsync("second", $"--volume {volume}:/x");
        await scene.Tape.ExpectAsync("G G M(x) G G M(y)");
        Assert.Equal(2, await scene.Daemon.Catalog.MountCountAsync(volume));
        Assert.Single(scene.Daemon.KernelMounts);

        await scene.DockerAsync("exec first sh -c", "echo hello > /x/f");
        Assert.Equal("hello", await scene.DockerAsync("exec second cat /x/f"));

        await scene.DockerAsync("stop first");
        await scene.Tape.ExpectAsync("G U(x)");
        Assert.Single(scene.Daemon.KernelMounts);
        Assert.Equal("hello", await scene.DockerAsync("exec second cat /x/f"));

        await scene.DockerAsync("stop second");
        await scene.Tape.ExpectAsync("G U(y)");
        Assert.Empty(scene.Daemon.KernelMounts);
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Two_paths_of_one_container_are_two_mounts(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.StartContainerAsync("paths", $"--volume {volume}:/x --volume {volume}:/y");
        await scene.Tape.ExpectAsync("G G G M(x) G M(y)");

        await scene.DockerAsync("stop paths");
        // The engine goes through them in no certain order.
        var calls = await scene.Tape.TakeAsync(count: 4);
        Assert.True(calls is "G U(x) G U(y)" or "G U(y) G U(x)", calls);
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Volumes_from_another_container_are_mounted_for_both(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("lends", $"--volume {volume}:/x");
        await scene.Tape.ExpectAsync("G C G G M(x)");

        await scene.StartContainerAsync("borrows", "--volumes-from lends");
        await scene.Tape.ExpectAsync("G G M(y)");

        await scene.DockerAsync("stop lends");
        await scene.DockerAsync("stop borrows");
        await scene.Tape.ExpectAsync("G U(x) G U(y)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task An_anonymous_volume_goes_with_its_container(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);

        await scene.StartContainerAsync("anonymous", "--volume-driver volman --volume /x");
        await scene.Tape.ExpectAsync("G C G M(x)");
        var volume = await scene.DockerAsync("inspect --format", "{{(index .Mounts 0).Name}}", "anonymous");
        Assert.Matches("^[0-9a-f]{64}$", volume);

        await scene.DockerAsync("rm --force --volumes anonymous");
        await scene.Tape.ExpectAsync("G U(x) G G R");
        await scene.EndsCleanAsync();
    }
}
