using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Volumes;

/// <summary>A volume's options as a container feels them.</summary>
[Collection(SharedHosts.Collection)]
public sealed class Options(SharedHosts hosts, ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task Owner_and_mode_are_the_directorys(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync("uid=1234", "gid=5678", "mode=2770");

        Assert.Equal("1234:5678 2770", await scene.RunAsync($"--volume {volume}:/x", "stat -c '%u:%g %a' /x"));
        Assert.Equal("1234", await scene.RunAsync($"--user 1234:5678 --volume {volume}:/x", "touch /x/f && stat -c %u /x/f"));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_read_only_volume_can_be_read_and_not_written(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync("access=read-only");
        await File.WriteAllTextAsync(Path.Combine(scene.Daemon.DataRoot, volume, "f"), "written before");

        await scene.StartContainerAsync("reads", $"--volume {volume}:/x");

        Assert.Equal("written before", await scene.DockerAsync("exec reads cat /x/f"));
        Assert.Contains("Read-only file system", await scene.RefusedAsync("exec reads touch /x/g"), StringComparison.Ordinal);
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_single_caller_volume_has_one_container_at_a_time(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync("access=single-caller");
        await scene.StartContainerAsync("first", $"--volume {volume}:/x");

        var error = await scene.RefusedAsync($"run --network host --volume {volume}:/x {Image.Name} true");
        Assert.Contains(volume, error, StringComparison.Ordinal);

        await scene.DockerAsync("stop first");
        await scene.RunAsync($"--volume {volume}:/x", "touch /x/f");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task An_unknown_option_is_refused_by_name(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = scene.NewVolume();

        Assert.Contains("colour", await scene.RefusedAsync($"volume create --driver volman --opt colour=blue {volume}"), StringComparison.Ordinal);

        Assert.DoesNotContain(volume, await scene.DockerAsync("volume ls"), StringComparison.Ordinal);
        await scene.EndsCleanAsync();
    }
}
