using System.Diagnostics;
using System.Globalization;

namespace VolumeManager.EndToEnd.Lab;

/// <summary>The daemon or the whole host starts again while NFS volumes are mounted, or while their server does not answer.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsRestarts(Laboratory lab, ITestOutputHelper output)
{
    // Some of the reconciler's, which come every two seconds here.
    static readonly TimeSpan s_passes = TimeSpan.FromSeconds(5);

    [LabFact]
    public async Task A_daemon_that_is_killed_takes_up_what_is_mounted_server_or_not()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        await scene.One.HoldAsync(volume, "holds");
        await scene.One.KillVolmanAsync();
        await scene.One.StartVolmanAsync();
        Assert.Equal("here", await scene.One.RunAsync(volume, "echo here > /x/f; cat /x/f"));
        Assert.Equal("1", await scene.AskAsync("SELECT sum(count) FROM mounts"));
        scene.Note("the server answers");

        await scene.One.KillVolmanAsync();
        await scene.One.CutFromAsync(scene.Server);
        var clock = Stopwatch.StartNew();
        await scene.One.StartVolmanAsync();
        Assert.Contains("h0:/" + volume, await scene.One.DockerAsync($"volume inspect {volume}"), StringComparison.Ordinal);
        scene.Note($"started without the server, and answers, in {clock.Elapsed.TotalSeconds:0.0} s");
        Assert.Equal("1", await scene.AskAsync("SELECT sum(count) FROM mounts"));
        await scene.HealAsync();
        Assert.Equal("here", await scene.One.DockerAsync("exec holds cat /x/f"));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task What_a_container_has_is_its_own_although_nothing_is_mounted_for_volman_any_more()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        await scene.One.HoldAsync(volume, "holds");
        await scene.One.DockerAsync("exec holds sh -c 'echo kept > /x/f'");

        // So a managed plugin finds itself after an upgrade: its mount namespace is gone, and the container is not.
        await LoseMountsAsync();
        await scene.One.StartVolmanAsync();
        await StaysInUseAsync("with the server");

        // The container's mount has another device than the export has now.
        await LoseMountsAsync();
        await scene.One.StartVolmanAsync("--nfs-options acregmax=7,nosharecache");
        await StaysInUseAsync("with other options");

        await LoseMountsAsync();
        await scene.One.CutFromAsync(scene.Server);
        await scene.One.StartVolmanAsync();
        await Task.Delay(s_passes);
        Assert.Contains("is in use on", await scene.Two.RefusedAsync($"volume rm {volume}"), StringComparison.Ordinal);
        await scene.HealAsync();
        await StaysInUseAsync("first without the server");
        await scene.EndsCleanAsync();

        async Task LoseMountsAsync()
        {
            await scene.One.KillVolmanAsync();
            await scene.One.ShAsync($"for m in $(awk '$5 ~ \"^{LabHost.StateDirectory}/(mnt|state/nfs)/\" {{print $5}}' /proc/self/mountinfo); do umount -l $m; done");
        }

        async Task StaysInUseAsync(string how)
        {
            await Poll.UntilAsync("the volume is mounted again", async () => (await scene.One.TryAsync($"mountpoint -q {LabHost.StateDirectory}/mnt/{volume}")).Succeeded);
            await Task.Delay(s_passes);
            Assert.Equal("1", await scene.AskAsync("SELECT sum(count) FROM mounts"));
            Assert.Equal("kept", await scene.One.DockerAsync("exec holds cat /x/f"));
            Assert.Contains("is in use on", await scene.Two.RefusedAsync($"volume rm {volume}"), StringComparison.Ordinal);
            scene.Note("still in use, " + how);
        }
    }

    [LabFact]
    public async Task A_container_that_the_engine_has_forgotten_still_holds_its_volume()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        var other = await scene.CreateVolumeAsync(scene.One);
        await scene.One.HoldAsync(volume, "holds");
        await scene.One.CallAsync("Unmount", volume, await scene.AskAsync("SELECT caller_id FROM mounts"));
        Assert.Equal("0", await scene.AskAsync("SELECT count(*) FROM mounts"));
        Assert.Contains("a container or another mount still has h0:/" + volume, await scene.One.CallAsync("Remove", volume), StringComparison.Ordinal);
        await scene.One.DockerAsync($"volume rm {other}");
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_host_boots_while_its_server_is_away()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.Two);
        await scene.Two.DockerAsync($"run --detach --network host --name again --restart always --volume {volume}:/x busybox sh -c 'echo started >> /x/log; sleep 100000'");
        // The engine answers before the container has written: its first line must be on the server before the cut.
        await Poll.UntilAsync("its container has started", async () => await LinesAsync() == 1);
        await scene.Two.CutFromAsync(scene.Server);
        await scene.Two.PowerOffAsync();
        await scene.Two.PowerOnAsync();
        scene.Note("it has booted");
        var clock = Stopwatch.StartNew();
        await scene.Two.StartAllAsync();
        scene.Note($"volman and the engine run after {clock.Elapsed.TotalSeconds:0.0} s");
        Assert.Contains(volume, await scene.Two.DockerAsync("volume ls --quiet"), StringComparison.Ordinal);
        await scene.HealAsync();
        await scene.Two.DockerAsync("start again");
        await Poll.UntilAsync("its container has started again", async () => await LinesAsync() > 1);
        Assert.Equal("1", await Poll.ForAsync("1", () => scene.AskAsync("SELECT sum(count) FROM mounts")));
        await scene.EndsCleanAsync();

        async Task<int> LinesAsync() => int.Parse(await scene.Server.ShAsync($"cat /srv/export/{volume}/log 2>/dev/null | wc -l"), CultureInfo.InvariantCulture);
    }
}
