using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.CallSequences;

/// <summary>`docker cp` mounts the volumes of a container for the time of the copy: with the id of the running mount, if there is one.</summary>
[Collection(SharedHosts.Collection)]
public sealed class CopyCalls(SharedHosts hosts, ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task A_stopped_container_is_mounted_under_fresh_ids(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.DockerAsync($"create --name still --volume {volume}:/x {Image.Name} true");
        await File.WriteAllTextAsync(scene.Host.Folder["copies/in"], "put in");
        await scene.Tape.SkipAsync();

        await scene.DockerAsync($"cp {scene.Host.Folder["copies/in"]} still:/x/f");
        await scene.Tape.ExpectAsync("G M(x) G U(x) G M(y) G U(y)");

        await scene.DockerAsync($"cp still:/x/f {scene.Host.Folder["copies/out"]}");
        await scene.Tape.ExpectAsync("G M(z) G U(z)");
        Assert.Equal("put in", await File.ReadAllTextAsync(scene.Host.Folder["copies/out"]));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_running_container_is_mounted_again_under_its_own_id_and_keeps_its_volume(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await File.WriteAllTextAsync(scene.Host.Folder["copies/in"], "put in");
        await scene.StartContainerAsync("busy", $"--volume {volume}:/x");
        await scene.Tape.ExpectAsync("G C G G M(x)");

        await scene.DockerAsync($"cp {scene.Host.Folder["copies/in"]} busy:/x/f");
        await scene.Tape.ExpectAsync("G M(x) G U(x) G M(x) G U(x)");
        Assert.Equal("put in", await scene.DockerAsync("exec busy cat /x/f"));

        await scene.DockerAsync("exec busy sh -c", "echo -n and on > /x/g");
        await scene.DockerAsync($"cp busy:/x/g {scene.Host.Folder["copies/out"]}");
        await scene.Tape.ExpectAsync("G M(x) G U(x)");
        Assert.Equal("and on", await File.ReadAllTextAsync(scene.Host.Folder["copies/out"]));

        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(volume));
        Assert.Single(scene.Daemon.KernelMounts);
        await scene.DockerAsync("exec busy sh -c", "echo still > /x/h && cat /x/h");

        await scene.DockerAsync("stop busy");
        await scene.Tape.ExpectAsync("G U(x)");
        Assert.Empty(scene.Daemon.KernelMounts);
        await scene.EndsCleanAsync();
    }
}
