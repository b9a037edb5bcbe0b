using System.Diagnostics;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Lab;

/// <summary>The server is silent, gone or another, or lets root do nothing: who asks hears of it in time, nobody else suffers, and it mends itself.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsOutages(Laboratory lab, ITestOutputHelper output)
{
    // Rule 5: below the engine's own, and with room for a slow machine.
    static readonly TimeSpan s_soon = TimeSpan.FromSeconds(30);

    [LabFact]
    public async Task A_silent_server_fails_a_Mount_by_its_name_and_other_exports_go_on()
    {
        await using var scene = await lab.SceneAsync(output);
        var used = await scene.CreateVolumeAsync(scene.One);
        var fresh = await scene.CreateVolumeAsync(scene.One);
        await scene.Three.ShAsync("start-nfs");
        var other = await scene.CreateVolumeAsync(scene.One, "-o server=h3 -o export=/");
        await scene.One.DockerAsync($"run --detach --name keeps --volume {used}:/x busybox sleep 1000");
        await scene.One.CutFromAsync(scene.Server);
        scene.Note("cut");

        var clock = Stopwatch.StartNew();
        var error = await scene.One.RefusedAsync($"run --rm --volume {fresh}:/x busybox true");
        Assert.Contains("the NFS server h0 does not answer", error, StringComparison.Ordinal);
        Assert.True(clock.Elapsed < s_soon, $"refused only after {clock.Elapsed}");
        scene.Note($"refused in {clock.Elapsed.TotalSeconds:0.0} s: {error}");

        clock.Restart();
        Assert.Equal("ok", await scene.One.RunAsync(other, "echo ok > /x/f; cat /x/f"));
        Assert.Contains(fresh, await scene.One.DockerAsync("volume ls --quiet"), StringComparison.Ordinal);
        await scene.One.DockerAsync($"volume inspect {used}");
        await scene.One.ShAsync("docker rm --force keeps");
        scene.Note($"others went on, and the used one was let go, in {clock.Elapsed.TotalSeconds:0.0} s");
        Assert.True(clock.Elapsed < s_soon, $"others waited for {clock.Elapsed}");

        await scene.HealAsync();
        Assert.Equal("ok", await scene.One.RunAsync(fresh, "echo ok > /x/f; cat /x/f"));
        scene.Note("healed");
        await scene.EndsCleanAsync();
        await scene.Three.ShAsync("rpc.nfsd 0; exportfs -ua");
    }

    [LabFact]
    public async Task A_server_that_loses_power_is_waited_for_and_nothing_written_is_lost()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        await scene.One.DockerAsync($"run --detach --name counts --volume {volume}:/x busybox sh -c 'i=0; while true; do i=$((i+1)); echo $i >> /x/log || echo $i >> /errors; sync; sleep 0.1; done'");
        await Poll.UntilAsync("it writes", async () => (await scene.Server.ShAsync($"wc -l < /srv/export/{volume}/log 2>/dev/null || echo 0")).CompareTo("5") != 0);
        await scene.Server.PowerOffAsync();
        scene.Note("off");
        await Task.Delay(3000);
        await scene.Server.PowerOnAsync();
        await lab.ServeNfsAsync();
        scene.Note("on");
        var before = int.Parse(await scene.Server.ShAsync($"wc -l < /srv/export/{volume}/log"));
        await Poll.UntilAsync("it goes on writing", async () => int.Parse(await scene.Server.ShAsync($"wc -l < /srv/export/{volume}/log")) > before + 5, TimeSpan.FromMinutes(2));
        scene.Note("it goes on");
        var numbers = (await scene.Server.ShAsync($"cat /srv/export/{volume}/log")).Split('\n');
        Assert.Equal(Enumerable.Range(1, numbers.Length).Select(n => $"{n}"), numbers);
        Assert.Equal("", await scene.One.DockerAsync("exec counts sh -c 'cat /errors 2>/dev/null || true'"));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_server_that_takes_roots_rights_away_is_told_of_with_the_cure()
    {
        await using var scene = await lab.SceneAsync(output);
        await scene.Server.ShAsync("mkdir -p /srv/export/squashed; exportfs -o rw,sync,no_subtree_check,root_squash,insecure '*:/srv/export/squashed'");
        var error = await scene.One.RefusedAsync($"volume create --driver volman -o export=/squashed {LabScene.NewVolume()}");
        Assert.Contains("root_squash", error, StringComparison.Ordinal);
        Assert.Contains("no_root_squash", error, StringComparison.Ordinal);
        scene.Note(error);
        await scene.One.ShAsync($"umount {LabHost.StateDirectory}/state/nfs/h0-squashed-* 2>/dev/null || true");
        await scene.Server.ShAsync("exportfs -u '*:/srv/export/squashed'; rm -r /srv/export/squashed");
        await scene.EndsCleanAsync();
    }
}
