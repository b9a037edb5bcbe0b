using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Services;

/// <summary>A swarm of one node: its tasks create the volume themselves, several at once.</summary>
public sealed class SwarmServices(ITestOutputHelper output)
{
    static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(3);

    [Theory, InstalledEngine, Engine28]
    public async Task A_service_is_created_scaled_updated_and_removed(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine);
        await using var scene = new Scene(host, output);
        var volume = scene.NewVolume();
        // A swarm schedules only to nodes whose engine has already met the plugin.
        await scene.DockerAsync("volume ls");
        await scene.DockerAsync("swarm init --advertise-addr 127.0.0.1");

        await scene.TimeAsync("Service of one task", async () =>
        {
            await scene.DockerAsync("service create --detach --no-resolve-image --name counts --network host --stop-signal KILL "
                + $"--mount type=volume,src={volume},dst=/x,volume-driver=volman,volume-opt=mode=0750 {Image.Name} sh -c",
                "echo $HOSTNAME >> /x/$HOSTNAME; sleep 100000");
            await WritersAsync(scene, volume, count: 1);
        });
        Assert.Equal("750", await scene.RunAsync($"--volume {volume}:/x", "stat -c %a /x"));

        await scene.DockerAsync("service scale --detach counts=2");
        await RunningTasksAsync(scene, volume, count: 2);

        await scene.DockerAsync("service update --detach --env-add CHANGED=yes --update-delay 0s --update-monitor 100ms counts");
        await Poll.UntilAsync("the update is complete", async () =>
            await scene.DockerAsync("service inspect --format", "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}", "counts") == "completed", s_deadline);
        await RunningTasksAsync(scene, volume, count: 2);

        await scene.DockerAsync("service rm counts");
        await scene.TimeAsync("Service is gone", scene.NothingIsMountedAsync);
        await scene.DockerAsync("swarm leave --force");
        await scene.EndsCleanAsync();
    }

    static async Task RunningTasksAsync(Scene scene, string volume, int count)
    {
        Assert.Equal(count, await Poll.ForAsync(count, () => scene.Daemon.Catalog.MountCountAsync(volume), s_deadline));
        Assert.Single(scene.Daemon.KernelMounts);
    }

    static Task WritersAsync(Scene scene, string volume, int count)
    {
        var folder = Path.Combine(scene.Daemon.DataRoot, volume);
        return Poll.UntilAsync($"{count} task has written", () => Directory.Exists(folder) && Directory.EnumerateFiles(folder).Count() >= count, s_deadline);
    }
}
