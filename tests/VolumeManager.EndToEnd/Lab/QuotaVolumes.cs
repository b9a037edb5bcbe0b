namespace VolumeManager.EndToEnd.Lab;

/// <summary>The size of volumes as containers meet it, on data roots with project quotas and without: a second volman on a host, as a driver of its own.</summary>
[Collection(Laboratory.Collection)]
public sealed class QuotaVolumes(Laboratory lab, ITestOutputHelper output)
{
    const string Driver = "volq";

    [LabFact]
    public Task On_XFS_a_volume_is_full_at_its_size_and_the_others_go_on() => IsFullAtItsSizeAsync("mkfs.xfs -q /srv/quota.img", "No space left on device");

    [LabFact]
    public Task On_ext4_a_volume_is_full_at_its_size_and_the_others_go_on() => IsFullAtItsSizeAsync("mkfs.ext4 -q -O project,quota /srv/quota.img", "Disk quota exceeded");

    async Task IsFullAtItsSizeAsync(string mkfs, string error)
    {
        await using var scene = await lab.SceneAsync(output);
        await scene.One.ShAsync($"truncate -s 400M /srv/quota.img; mkdir -p /srv/quota; {mkfs}; mount -o loop,prjquota /srv/quota.img /srv/quota");
        await StartAsync(scene.One);
        await scene.One.DockerAsync($"volume create --driver {Driver} -o size=10M full");
        await scene.One.DockerAsync($"volume create --driver {Driver} other");
        Assert.Equal("yes", await EnforcedAsync(scene.One));
        await scene.One.DockerAsync("run --detach --network host --name neighbour --volume other:/x busybox sh -c 'while echo line >> /x/log; do sleep 0.1; done'");

        Assert.Contains(error, await scene.One.RefusedAsync("run --rm --volume full:/x busybox dd if=/dev/zero of=/x/f bs=1M count=20"), StringComparison.Ordinal);
        Assert.InRange(long.Parse(await scene.One.ShAsync("stat -c %s /srv/quota/data/full/f")), 9 << 20, 10 << 20);
        var lines = await LinesAsync(scene.One);
        await Poll.UntilAsync("the neighbour goes on", async () => await LinesAsync(scene.One) > lines);
        var project = await scene.One.ShAsync("lsattr -pd /srv/quota/data/full | awk '{print $1}'");
        Assert.Equal(await scene.One.ShAsync("sync -f /srv/quota; du -sk /srv/quota/data/full | cut -f1") + " 10240", await ReportAsync(scene.One, project));
        scene.Note($"project {project} is full: {await ReportAsync(scene.One, project)}");

        await StopAsync(scene.One);
        await StartAsync(scene.One);
        Assert.Equal("yes", await Poll.ForAsync("yes", () => EnforcedAsync(scene.One)));
        lines = await LinesAsync(scene.One);
        await Poll.UntilAsync("the neighbour goes on without noticing", async () => await LinesAsync(scene.One) > lines);
        await scene.One.RunAsync("full", "rm /x/f; dd if=/dev/zero of=/x/g bs=1M count=5");

        await scene.One.DockerAsync("volume rm full");
        Assert.Equal("", await Poll.ForAsync("", () => ReportAsync(scene.One, project)));
        await scene.One.DockerAsync("rm --force neighbour");
        await scene.One.DockerAsync("volume rm other");
        await StopAsync(scene.One);
        await scene.One.ShAsync("umount /srv/quota; rm -r /srv/quota /srv/quota.img");
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task Without_quotas_Status_says_why_and_what_to_do()
    {
        await using var scene = await lab.SceneAsync(output);
        await scene.One.ShAsync("mkdir -p /srv/quota");
        await StartAsync(scene.One);
        await scene.One.DockerAsync($"volume create --driver {Driver} -o size=1M full");
        Assert.Equal("no: the file system of /srv/quota/data has no project quotas; use XFS or ext4, mounted with prjquota", await EnforcedAsync(scene.One));
        await scene.One.RunAsync("full", "dd if=/dev/zero of=/x/f bs=1M count=2");
        await scene.One.DockerAsync("volume rm full");
        await StopAsync(scene.One);
        await scene.One.ShAsync("rm -r /srv/quota");

        var onServer = await scene.CreateVolumeAsync(scene.One, "-o size=1M");
        Assert.Equal("no: the NFS server must limit it", await EnforcedAsync(scene.One, onServer));
        await scene.EndsCleanAsync();
    }

    static Task<string> StartAsync(LabHost host) => host.ShAsync($"""
        setsid /srv/volman/volman serve --socket /run/docker/plugins/{Driver}.sock --admin-socket /srv/quota-state/admin.sock --state-dir /srv/quota-state/state --mount-root /srv/quota-state/mnt --data-root /srv/quota/data \
          --trash-retention 0 --reconcile-interval 2s >>/srv/volman.log 2>&1 </dev/null &
        echo $! >/srv/quota.pid
        for i in $(seq 300); do [ -S /run/docker/plugins/{Driver}.sock ] && exit 0; sleep 0.1; done
        tail -5 /srv/volman.log >&2; exit 1
        """);

    /// <summary>As a crash does.</summary>
    static Task<string> StopAsync(LabHost host) => host.ShAsync(
        $"pid=$(cat /srv/quota.pid); kill -KILL $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done; rm -f /run/docker/plugins/{Driver}.sock");

    static Task<string> EnforcedAsync(LabHost host, string volume = "full") => host.DockerAsync($"volume inspect --format '{{{{.Status.SizeEnforced}}}}' {volume}");

    static async Task<int> LinesAsync(LabHost host) => int.Parse(await host.ShAsync("wc -l </srv/quota/data/other/log"));

    /// <summary>What the kernel knows of a project: KiB that it holds, and its limit; empty if nothing.</summary>
    static Task<string> ReportAsync(LabHost host, string project) => host.ShAsync($"xfs_quota -f -x -c 'report -p -n -N -b' /srv/quota | awk '$1 == \"#{project}\" {{print $2, $4}}'");
}
