using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Volumes;

/// <summary>Data in use is never touched, and data that is removed is not gone at once.</summary>
[Collection(SharedHosts.Collection)]
public sealed class Removal(SharedHosts hosts, ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task The_engine_refuses_while_its_container_runs(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("uses", $"--volume {volume}:/x");

        Assert.Contains("volume is in use", await scene.RefusedAsync($"volume rm {volume}"), StringComparison.Ordinal);

        await scene.DockerAsync("exec uses touch /x/f");
        await scene.EndsCleanAsync();
    }

    /// <summary>An engine of another host knows nothing of our container: its Remove really reaches the plugin.</summary>
    [Theory, InstalledEngine, Engine28]
    public async Task The_daemon_refuses_while_anybody_mounts_and_names_the_holder(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("uses", $"--volume {volume}:/x", "echo kept > /x/f; sleep 100000");
        var plugin = new PluginClient(scene.Daemon.Socket);

        var error = (await plugin.CallAsync("Remove", new { Name = volume })).Err;

        Assert.Contains(Daemon.HostName, error, StringComparison.Ordinal);
        Assert.Equal("kept", await scene.DockerAsync("exec uses cat /x/f"));
        Assert.Equal("kept\n", await File.ReadAllTextAsync(Path.Combine(scene.Daemon.DataRoot, volume, "f")));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Removed_data_waits_in_the_trash(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        var secret = Guid.NewGuid().ToString();
        await scene.RunAsync($"--volume {volume}:/x", $"mkdir /x/deep && echo {secret} > /x/deep/f");

        await scene.DockerAsync($"volume rm {volume}");

        Assert.False(Directory.Exists(Path.Combine(scene.Daemon.DataRoot, volume)));
        var trash = Path.Combine(scene.Daemon.DataRoot, ".trash");
        var kept = Directory.EnumerateDirectories(trash).Select(folder => Path.Combine(folder, "deep/f")).Where(File.Exists);
        Assert.Contains(secret, kept.Select(file => File.ReadAllText(file).TrimEnd()));
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_name_can_be_used_again_and_begins_empty(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.RunAsync($"--volume {volume}:/x", "touch /x/old");
        await scene.DockerAsync($"volume rm {volume}");

        await scene.DockerAsync($"volume create --driver volman {volume}");

        Assert.Equal("", await scene.RunAsync($"--volume {volume}:/x", "ls /x"));
        await scene.EndsCleanAsync();
    }
}
