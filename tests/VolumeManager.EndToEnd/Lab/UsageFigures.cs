namespace VolumeManager.EndToEnd.Lab;

/// <summary>What volumes on real NFS servers hold, measured by the hosts, against what du(1) says on the servers.</summary>
[Collection(Laboratory.Collection)]
public sealed class UsageFigures(Laboratory lab, ITestOutputHelper output)
{
    // A host may believe for a minute what the server has told it of a file (acregmax).
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(4);

    Task RestartAllAsync(string options = "") => Task.WhenAll(lab.Engines.Select(async host =>
    {
        await host.KillVolmanAsync();
        await host.StartVolmanAsync(options);
        await host.DockerAsync("volume ls");
    }));

    static Task<string> DuAsync(LabHost server, string volume) =>
        server.ShAsync($"cd /srv/export; echo $(du -s --block-size=1 {volume} | cut -f1) $(du -s --inodes {volume} | cut -f1)");

    static Task<string> RowAsync(LabScene scene, string volume) => scene.AskAsync($"SELECT used_bytes || ' ' || used_files FROM volumes WHERE name = '{volume}'");

    static async Task MeasuredAsync(LabScene scene, LabHost server, string volume)
    {
        await Poll.UntilAsync($"{volume} is measured as du does", async () => await RowAsync(scene, volume) == await DuAsync(server, volume), s_patience);
        scene.Note($"{volume}: {await RowAsync(scene, volume)}");
    }

    [LabFact]
    public async Task What_containers_write_on_NFS_is_told_as_du_says_on_the_server()
    {
        await using var scene = await lab.SceneAsync(output);
        await RestartAllAsync("--usage-interval 2s");
        var volume = await scene.CreateVolumeAsync(scene.One);
        await scene.One.RunAsync(volume, "cd /x; mkdir -p d/e; head -c 3000000 /dev/urandom > d/f; ln d/f d/e/same; truncate -s 1000000000 sparse; ln -s / root; for i in $(seq 300); do echo $i > d/e/$i; done");
        await MeasuredAsync(scene, scene.Server, volume);
        await scene.Two.RunAsync(volume, "cd /x; rm -r d/e; head -c 500000 /dev/urandom >> sparse; mkdir n");
        await MeasuredAsync(scene, scene.Server, volume);
        foreach (var host in lab.Engines)
        {
            Assert.Equal(await DuAsync(scene.Server, volume), await host.DockerAsync($"volume inspect --format '{{{{.Status.UsedBytes}}}} {{{{.Status.UsedFiles}}}}' {volume}"));
        }

        Assert.Equal("t", await scene.AskAsync($"SELECT count(*) > 2 AND max(taken_at) = max(v.sampled_at) FROM usage_samples JOIN volumes v ON v.id = volume_id WHERE name = '{volume}'"));
        await RestartAllAsync();
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_silent_server_keeps_no_volume_of_another_from_being_measured()
    {
        await using var scene = await lab.SceneAsync(output);
        await scene.Three.ShAsync("start-nfs");
        await RestartAllAsync("--usage-interval 2s");
        var silent = await scene.CreateVolumeAsync(scene.One);
        var other = await scene.CreateVolumeAsync(scene.One, "-o server=h3 -o export=/");
        await scene.One.RunAsync(silent, "echo x > /x/f");
        await MeasuredAsync(scene, scene.Server, silent);
        foreach (var host in lab.Engines) await host.CutFromAsync(scene.Server);
        var cut = await scene.AskAsync("SELECT now()");
        scene.Note("cut");

        await scene.One.RunAsync(other, "head -c 700000 /dev/urandom > /x/f");
        await MeasuredAsync(scene, scene.Three, other);
        Assert.Equal("f", await scene.AskAsync($"SELECT sampled_at > '{cut}'::timestamptz + interval '1 second' FROM volumes WHERE name = '{silent}'"));
        await scene.HealAsync();
        await Poll.UntilAsync("it is measured again", async () => await scene.AskAsync($"SELECT sampled_at > '{cut}'::timestamptz + interval '1 second' FROM volumes WHERE name = '{silent}'") == "t", s_patience);
        scene.Note("healed");
        await RestartAllAsync();
        await scene.EndsCleanAsync();
        await scene.Three.ShAsync("rpc.nfsd 0; exportfs -ua");
    }
}
