using System.Diagnostics;

namespace VolumeManager.EndToEnd.Lab;

/// <summary>
/// The server is silent, gone, or another one: volman refuses what needs it by its name, everything else goes on, and all is well when the server is back.
/// The refusal is volman's own text, so it came before the engine's limit; what goes on does so during the cut. No test judges a time.
/// </summary>
[Collection(Laboratory.Collection)]
public sealed class NfsOutages(Laboratory lab, ITestOutputHelper output)
{
    [LabFact]
    public async Task A_silent_server_fails_a_Mount_by_its_name_and_other_exports_go_on()
    {
        await using var scene = await lab.SceneAsync(output);
        var used = await scene.CreateVolumeAsync(scene.One);
        var fresh = await scene.CreateVolumeAsync(scene.One);
        await scene.Three.ShAsync("start-nfs");
        var other = await scene.CreateVolumeAsync(scene.One, "-o server=h3 -o export=/");
        await scene.One.HoldAsync(used, "keeps");
        await scene.One.CutFromAsync(scene.Server);
        scene.Note("cut");

        var clock = Stopwatch.StartNew();
        var error = await scene.One.RefusedAsync($"run --rm --volume {fresh}:/x busybox true");
        Assert.Contains("the NFS server h0 does not answer", error, StringComparison.Ordinal);
        scene.Note($"refused in {clock.Elapsed.TotalSeconds:0.0} s: {error}");

        clock.Restart();
        Assert.Equal("ok", await scene.One.RunAsync(other, "echo ok > /x/f; cat /x/f"));
        Assert.Contains(fresh, await scene.One.DockerAsync("volume ls --quiet"), StringComparison.Ordinal);
        await scene.One.DockerAsync($"volume inspect {used}");
        await scene.One.DockerAsync("ps");
        await scene.One.ShAsync("docker rm --force keeps");
        scene.Note($"others went on, and the used one was let go, in {clock.Elapsed.TotalSeconds:0.0} s");

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
        await scene.One.DockerAsync($"run --detach --network host --name counts --volume {volume}:/x busybox sh -c 'i=0; while true; do i=$((i+1)); echo $i >> /x/log || echo $i >> /errors; sync; sleep 0.3; done'");
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
    public async Task A_server_that_came_back_with_another_disk_is_mounted_afresh_and_who_has_lost_his_is_told()
    {
        await using var scene = await lab.SceneAsync(output);
        const string exported = "'*:/srv/export/changing'";
        const string options = "rw,sync,no_subtree_check,no_root_squash,insecure";
        // tmpfs: a disk that is there, and then another one.
        await scene.Server.ShAsync($"mkdir -p /srv/export/changing; mount -t tmpfs tmpfs /srv/export/changing; exportfs -o {options},fsid=77 {exported}");
        var lost = await scene.CreateVolumeAsync(scene.One, "-o export=/changing");
        await scene.One.HoldAsync(lost, "holds");
        await scene.Server.ShAsync($"exportfs -u {exported}; exportfs -f; umount -l /srv/export/changing; mount -t tmpfs tmpfs /srv/export/changing; exportfs -o {options},fsid=78 {exported}");
        await Poll.UntilAsync("Status tells it", async () => (await scene.One.DockerAsync($"volume inspect --format '{{{{.Status.Lost}}}}' {lost}")).Contains("the NFS server h0 does not know", StringComparison.Ordinal));
        scene.Note("told");

        var fresh = await scene.CreateVolumeAsync(scene.One, "-o export=/changing");
        Assert.Equal("new", await scene.One.RunAsync(fresh, "echo new > /x/f; cat /x/f"));
        Assert.Contains("is missing", await scene.One.RefusedAsync($"run --rm --volume {lost}:/x busybox true"), StringComparison.Ordinal);
        await scene.One.DockerAsync("rm --force holds");
        await scene.Server.ShAsync($"mkdir /srv/export/changing/{lost}");
        Assert.Equal("back", await scene.One.RunAsync(lost, "echo back"));
        await scene.One.DockerAsync($"volume rm {lost} {fresh}");
        Assert.Equal("0", await Poll.ForAsync("0", () => scene.One.ExportsAsync("changing")));
        await scene.Server.ShAsync($"exportfs -u {exported}; exportfs -f; umount -l /srv/export/changing; rmdir /srv/export/changing");
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_host_that_is_cut_off_from_the_database_uses_what_it_knows_and_catches_up()
    {
        await using var scene = await lab.SceneAsync(output);
        var known = await scene.CreateVolumeAsync(scene.Two);
        await scene.Two.RunAsync(known, "echo before > /x/f");
        await scene.Two.CutFromAsync(lab.Database);
        await Poll.UntilAsync("the others take it for lost", async () => await scene.StateOfAsync(scene.Two) == "lost");
        await scene.Two.HoldAsync(known, "holds");
        Assert.Equal("before", await scene.Two.DockerAsync("exec holds cat /x/f"));
        Assert.Equal("before", await scene.Three.RunAsync(known, "cat /x/f"));
        scene.Note((await scene.Two.RefusedAsync($"volume create --driver volman {LabScene.NewVolume()}")).Split('\n')[^1]);
        await scene.HealAsync();
        Assert.Equal("1", await Poll.ForAsync("1", () => scene.AskAsync("SELECT count(*) FROM mounts")));
        Assert.Equal("live", await Poll.ForAsync("live", () => scene.StateOfAsync(scene.Two)));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_database_that_loses_power_stops_no_container_and_hears_of_everything_later()
    {
        await using var scene = await lab.SceneAsync(output);
        var known = await scene.CreateVolumeAsync(scene.One);
        await scene.One.HoldAsync(known, "before");
        await lab.Database.PowerOffAsync();
        scene.Note("off");
        await scene.One.HoldAsync(known, "meanwhile");
        await scene.One.DockerAsync("rm --force before");
        Assert.Contains(known, await scene.One.DockerAsync("volume ls --quiet"), StringComparison.Ordinal);
        await lab.Database.PowerOnAsync();
        await lab.ServeDatabaseAsync();
        scene.Note("on");
        Assert.Equal("1 1", await Poll.ForAsync("1 1", () => scene.AskAsync("SELECT count(*) || ' ' || sum(count) FROM mounts")));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_host_that_is_cut_off_from_all_waits_and_goes_on()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.Two);
        await scene.Two.DockerAsync($"run --detach --network host --name counts --volume {volume}:/x busybox sh -c 'while true; do date >> /x/log; sync; sleep 0.3; done'");
        async Task<int> LinesAsync() => int.Parse(await scene.Server.ShAsync($"cat /srv/export/{volume}/log 2>/dev/null | wc -l"));
        await Poll.UntilAsync("it writes", async () => await LinesAsync() > 0);
        await scene.Two.CutAsync();
        await Poll.UntilAsync("the others take it for lost", async () => await scene.StateOfAsync(scene.Two) == "lost");
        Assert.Contains("counts", await scene.Two.DockerAsync("ps"), StringComparison.Ordinal);
        Assert.Contains("the NFS server h0 does not answer", await scene.Two.RefusedAsync($"run --rm --volume {volume}:/x busybox true"), StringComparison.Ordinal);
        var before = await LinesAsync();
        await scene.HealAsync();
        await Poll.UntilAsync("it goes on writing", async () => await LinesAsync() > before + 3, TimeSpan.FromMinutes(1));
        Assert.Equal("live", await Poll.ForAsync("live", () => scene.StateOfAsync(scene.Two)));
        await scene.EndsCleanAsync();
    }
}
