using System.Diagnostics;
using System.Globalization;

namespace VolumeManager.EndToEnd.Lab;

/// <summary>h1 serves a directory of its own to the other hosts, and shuts them out when what they held is given to another: their containers run on, and cannot write.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsHostServed(Laboratory lab, ITestOutputHelper output)
{
    const string Share = "/srv/share";
    const string OnShare = $"-o server=h1 -o export={Share}";
    const string Serving = $"--nfs-server h1 --nfs-export {Share} --export-directory {Share}";

    // Writes a growing number, each time through to the server; what failed is told apart from what came through.
    const string Writer = "i=0; while :; do i=$((i+1)); printf %08d $i | dd of=/x/seq conv=notrunc,fsync 2>/dev/null && echo $i > /tmp/written || echo $i > /tmp/failed; sleep 0.2; done";

    [LabFact]
    public async Task A_host_uses_its_own_directory_and_the_others_mount_it()
    {
        await using var scene = await ServedAsync();
        var volume = await scene.CreateVolumeAsync(scene.Two, $"{OnShare} -o uid=33");
        await scene.Two.RunAsync(volume, "echo two > /x/f");
        Assert.Equal("two 33", await scene.Three.RunAsync(volume, "echo $(cat /x/f) $(stat -c %u /x)"));
        Assert.Equal("two", await scene.One.RunAsync(volume, "cat /x/f; echo one > /x/g"));
        Assert.Equal("0", await scene.One.ExportsAsync("h1"));
        Assert.Equal("one", await scene.Two.RunAsync(volume, "cat /x/g"));
        Assert.Equal($"h1:{Share}/{volume}", await scene.One.DockerAsync($"volume inspect --format '{{{{.Status.Directory}}}}' {volume}"));
        Assert.Equal("10.77.0.12 10.77.0.13", await ClientsAsync(scene));
        await EndsCleanAsync(scene);
    }

    [LabFact]
    public async Task A_host_that_lost_its_volume_cannot_write_any_more_before_the_next_container_starts()
    {
        await using var scene = await ServedAsync();
        var volume = await scene.CreateVolumeAsync(scene.Two, $"{OnShare} -o access=single-host");
        await StartWriterAsync(scene.Two, volume);

        // Its containers run on, and reach the storage; only volman is cut off from the database.
        await scene.Two.CutFromAsync(lab.Database);
        var first = await TakeOverAsync(scene, volume);
        Assert.Equal(first, await ReadAsync(scene, volume));
        await Poll.UntilAsync("the writer on h2 fails", async () => (await scene.Two.TryAsync("docker exec writer cat /tmp/failed")).Succeeded);
        Assert.Equal("10.77.0.13", await ClientsAsync(scene));

        // It comes back, may use the export again, and what it had open stays shut.
        await scene.HealAsync();
        await Poll.UntilAsync("h2 is let in again", async () => (await ClientsAsync(scene)).Contains("10.77.0.12", StringComparison.Ordinal));
        Assert.Equal(first, await StaysAsync(scene, volume));
        Assert.Contains("was taken over by another host", await scene.Two.RefusedAsync($"run --rm --volume {volume}:/x busybox true"), StringComparison.Ordinal);
        scene.Note("h2 is back, and its writer still fails");
        await scene.Two.DockerAsync("rm --force writer");
        await scene.Three.DockerAsync("rm --force next");
        Assert.Equal(first, await scene.Two.RunAsync(volume, "cat /x/seq"));
        await EndsCleanAsync(scene);
    }

    [LabFact]
    public async Task A_frozen_host_that_thaws_after_the_takeover_cannot_write()
    {
        await using var scene = await ServedAsync();
        var volume = await scene.CreateVolumeAsync(scene.Two, $"{OnShare} -o access=single-host");
        await StartWriterAsync(scene.Two, volume);
        await scene.Two.FreezeAsync();
        var first = await TakeOverAsync(scene, volume);
        await scene.Two.ThawAsync();
        await Poll.UntilAsync("the writer on h2 fails", async () => (await scene.Two.TryAsync("docker exec writer cat /tmp/failed")).Succeeded);
        Assert.Equal(first, await StaysAsync(scene, volume));
        await Poll.UntilAsync("h2 gives it up", async () => (await scene.Two.DockerAsync($"volume inspect --format '{{{{.Status.GivenUp}}}}' {volume}")).Contains("another host has taken the volume", StringComparison.Ordinal));
        await EndsCleanAsync(scene);
    }

    [LabFact]
    public async Task An_evicted_host_is_shut_out_and_what_is_shared_there_is_lost_to_it_until_its_containers_are_restarted()
    {
        await using var scene = await ServedAsync();
        var volume = await scene.CreateVolumeAsync(scene.Two, OnShare);
        await StartWriterAsync(scene.Two, volume);
        var said = await scene.Three.ShAsync($"/srv/volman/volman host evict h2 --force --database '{LabHost.Database}'");
        Assert.Contains($"It is shut out of h1:{Share}", said, StringComparison.Ordinal);
        var last = await ReadAsync(scene, volume);
        await Poll.UntilAsync("the writer on h2 fails", async () => (await scene.Two.TryAsync("docker exec writer cat /tmp/failed")).Succeeded);
        await Poll.UntilAsync("h2 is let in again", async () => (await ClientsAsync(scene)).Contains("10.77.0.12", StringComparison.Ordinal));
        Assert.Equal(last, await StaysAsync(scene, volume));
        await Poll.UntilAsync("Status says so", async () => (await scene.Two.DockerAsync($"volume inspect --format '{{{{.Status.Lost}}}}' {volume}")).Contains("ESTALE", StringComparison.Ordinal));
        await scene.Two.DockerAsync("restart --time 0 writer");
        await Poll.UntilAsync("the restarted writer writes", async () => await ReadAsync(scene, volume) != last);
        await EndsCleanAsync(scene);
    }

    [LabFact]
    public async Task Whoever_is_shut_out_stays_so_when_the_serving_host_loses_power()
    {
        await using var scene = await ServedAsync();
        var volume = await scene.CreateVolumeAsync(scene.Two, $"{OnShare} -o access=single-host");
        await StartWriterAsync(scene.Two, volume);
        await scene.Two.CutFromAsync(lab.Database);
        var first = await TakeOverAsync(scene, volume);
        await scene.One.PowerOffAsync();
        await scene.One.PowerOnAsync();
        await scene.One.ShAsync("start-nfs bare");
        Assert.DoesNotContain("10.77.0.12", await ClientsAsync(scene), StringComparison.Ordinal);
        await scene.One.StartVolmanAsync(storage: Serving);
        await scene.One.ShAsync("start-docker");
        await scene.One.DockerAsync("volume ls");
        Assert.Equal(first, await StaysAsync(scene, volume));
        await scene.HealAsync();
        await Poll.UntilAsync("h3 reads on", async () => (await scene.Three.TryAsync("docker exec next cat /x/seq")).Output == first, TimeSpan.FromMinutes(2));
        await EndsCleanAsync(scene);
    }

    [LabFact]
    public async Task The_serving_host_limits_what_the_others_write_to_their_volumes_size()
    {
        await using var scene = await ServedAsync($"truncate -s 400M /srv/share.img; mkfs.xfs -q /srv/share.img; mkdir -p {Share}; mount -o loop,prjquota /srv/share.img {Share}");
        var volume = await scene.CreateVolumeAsync(scene.Two, $"{OnShare} -o size=10M");
        var other = await scene.CreateVolumeAsync(scene.Two, OnShare);
        Assert.Equal("yes", await Poll.ForAsync("yes", () => scene.One.DockerAsync($"volume inspect --format '{{{{.Status.SizeEnforced}}}}' {volume}")));
        Assert.Contains("No space left on device", await scene.Two.RefusedAsync($"run --rm --volume {volume}:/x busybox dd if=/dev/zero of=/x/f bs=1M count=20 conv=fsync"), StringComparison.Ordinal);
        Assert.InRange(long.Parse(await scene.One.ShAsync($"du -sk {Share}/{volume} | cut -f1"), CultureInfo.InvariantCulture), 9 << 10, 10 << 10);
        await scene.Two.RunAsync(other, "dd if=/dev/zero of=/x/f bs=1M count=20 conv=fsync");
        await EndsCleanAsync(scene);
        await scene.One.ShAsync($"umount {Share}; rm /srv/share.img");
    }

    [LabFact]
    public async Task A_host_whose_NFS_server_was_stopped_is_told_by_the_doctor_that_it_serves_nobody()
    {
        await using var scene = await ServedAsync();
        await scene.One.IsWellAsync("export-unserved");
        await scene.One.ShAsync("rpc.nfsd 0");
        await Poll.UntilAsync("the next pass has seen it", async () => (await scene.One.DiagnoseAsync("export-unserved")).Count > 0);
        await scene.One.TellsAsync("export-unserved", "error", $"this host does not serve h1:{Share} to the others as it should (the kernel's NFS server does not run: start it", "it is tried again each second");
        await scene.One.ShAsync("start-nfs bare");
        await scene.One.IsWellAsync("export-unserved");
        var volume = await scene.CreateVolumeAsync(scene.Two, OnShare);
        Assert.Equal("written", await scene.Two.RunAsync(volume, "echo written > /x/f; cat /x/f"));
        await EndsCleanAsync(scene);
    }

    async Task<LabScene> ServedAsync(string prepare = "")
    {
        var scene = await lab.SceneAsync(output);
        // Each scene has a directory of its own to serve, as if it were the first.
        await scene.One.ShAsync($"rm -rf {Share} {LabHost.StateDirectory}/state/export-root; mkdir -p {Share}; {prepare}\nstart-nfs bare");
        await scene.One.KillVolmanAsync();
        await scene.One.StartVolmanAsync(storage: Serving);
        await Poll.UntilAsync("h1 serves the others", async () => await ClientsAsync(scene) == "10.77.0.12 10.77.0.13");
        return scene;
    }

    /// <summary>The addresses of those to whom h1's kernel exports the directory.</summary>
    static async Task<string> ClientsAsync(LabScene scene) => string.Join(' ', (await scene.One.ShAsync($"grep '^{Share}' /var/lib/nfs/etab | cut -f2 | cut -d'(' -f1")).Split('\n').Order(StringComparer.Ordinal));

    static async Task StartWriterAsync(LabHost host, string volume)
    {
        await host.DockerAsync($"run --detach --network host --name writer --volume {volume}:/x busybox sh -c '{Writer}'");
        await Poll.UntilAsync("it writes", async () => (await host.TryAsync("docker exec writer cat /tmp/written")).Succeeded);
    }

    /// <summary>What a container on h3 reads first of all, and two seconds later again, when it has the volume at last.</summary>
    static async Task<string> TakeOverAsync(LabScene scene, string volume)
    {
        var clock = Stopwatch.StartNew();
        const string script = "a=$(cat /x/seq); sleep 2; b=$(cat /x/seq); echo $a $b; sleep 100000";
        await Poll.UntilAsync(
            "h3 takes it over",
            async () => (await scene.Three.TryAsync($"docker run --detach --network host --name next --volume {volume}:/x busybox sh -c '{script}' || {{ docker rm next; exit 1; }}")).Succeeded, TimeSpan.FromMinutes(1));
        scene.Note($"taken over after {clock.Elapsed.TotalSeconds:0.0} s; up to {Laboratory.Failover.TotalSeconds:0} s are expected");
        var log = "";
        await Poll.UntilAsync("it has read twice", async () => (log = await scene.Three.DockerAsync("logs next")).Contains(' ', StringComparison.Ordinal));
        Assert.Equal(log.Split(' ')[0], log.Split(' ')[1]);
        Assert.True(int.Parse(log.Split(' ')[0], CultureInfo.InvariantCulture) > 0);
        return log.Split(' ')[0];
    }

    static Task<string> ReadAsync(LabScene scene, string volume) => scene.One.ShAsync($"cat {Share}/{volume}/seq");

    /// <summary>The number after a time in which the writer would have written many.</summary>
    static async Task<string> StaysAsync(LabScene scene, string volume)
    {
        await Task.Delay(TimeSpan.FromSeconds(1.5));
        return await ReadAsync(scene, volume);
    }

    static async Task EndsCleanAsync(LabScene scene)
    {
        await scene.EndsCleanAsync();
        Assert.Equal("", await scene.One.ShAsync($"ls {Share}"));
        // An operator takes the setting away: nobody may use the directory any more.
        await scene.One.KillVolmanAsync();
        await scene.One.StartVolmanAsync();
        Assert.Equal("", await Poll.ForAsync("", () => ClientsAsync(scene)));
        Assert.Equal("0", await Poll.ForAsync("0", () => scene.AskAsync("SELECT count(*) FROM exports")));
    }
}
