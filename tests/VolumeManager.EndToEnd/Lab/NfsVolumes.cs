namespace VolumeManager.EndToEnd.Lab;

/// <summary>Volumes on a real NFS server, used by containers of real engines on hosts with kernels of their own.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsVolumes(Laboratory lab, ITestOutputHelper output)
{
    [LabFact]
    public async Task What_one_host_writes_another_reads()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One, "-o mode=0750 -o uid=33");
        await scene.One.RunAsync(volume, "echo written on one > /x/f");
        Assert.Equal("written on one", await scene.Two.RunAsync(volume, "cat /x/f"));
        Assert.Equal("33 750", await scene.Three.RunAsync(volume, "stat -c \"%u %a\" /x"));
        Assert.Equal("written on one", await scene.Server.ShAsync($"cat /srv/export/{volume}/f"));
        Assert.Contains("nosuid,nodev", await scene.One.RunAsync(volume, "grep \" /x \" /proc/mounts"), StringComparison.Ordinal);
        Assert.Equal("h0 / h0:/" + volume, await scene.Two.DockerAsync($"volume inspect --format '{{{{.Status.Options.server}}}} {{{{.Status.Options.export}}}} {{{{.Status.Directory}}}}' {volume}"));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task Three_hosts_append_to_one_file_under_a_lock_and_no_line_is_lost()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        await Task.WhenAll(lab.Engines.Select(host => host.RunAsync(
            volume, $"for i in $(seq 30); do flock /x/lock sh -c \"n=\\$(wc -l < /x/log 2>/dev/null || echo 0); echo {host.Name} \\$n >> /x/log\"; done")));
        var lines = (await scene.Server.ShAsync($"cat /srv/export/{volume}/log")).Split('\n');
        // Each writer saw all lines before its own: the locks and the files' contents agree across the hosts.
        Assert.Equal(Enumerable.Range(0, 90).Select(n => $"{n}"), lines.Select(line => line.Split(' ')[1]));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_service_of_three_replicas_on_three_hosts_shares_one_volume()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = LabScene.NewVolume();
        await scene.FormSwarmAsync();
        await scene.One.DockerAsync(
            $"service create --quiet --detach --network host --name w --replicas 3 --replicas-max-per-node 1 --stop-signal KILL --no-resolve-image --mount type=volume,src={volume},dst=/x,volume-driver=volman,volume-opt=label.team=a busybox sh -c 'hostname > /x/$(hostname); sleep 1000'");
        Assert.Equal("3", await Poll.ForAsync("3", () => scene.Server.ShAsync($"ls /srv/export/{volume} 2>/dev/null | wc -l")));
        Assert.Equal("3", await scene.AskAsync("SELECT count(DISTINCT host_id) FROM mounts"));
        Assert.Contains("in use", await scene.Two.RefusedAsync($"volume rm {volume}"), StringComparison.Ordinal);
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_new_volume_gets_what_the_image_has_there()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        await scene.One.ShAsync("docker image inspect full >/dev/null 2>&1 || { docker run --name full busybox sh -c 'mkdir /full; echo a > /full/a; chown 7 /full/a'; docker commit full full >/dev/null; docker rm full >/dev/null; }");
        await scene.One.DockerAsync($"run --rm --volume {volume}:/full full true");
        Assert.Equal("a 7", await scene.Two.RunAsync(volume, "echo $(cat /x/a) $(stat -c %u /x/a)"));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task Two_hundred_volumes_are_mounted_on_one_host_by_one_kernel_mount()
    {
        await using var scene = await lab.SceneAsync(output);
        var volumes = Enumerable.Range(0, 200).Select(_ => LabScene.NewVolume()).ToArray();
        await scene.One.DockerAsync($"run --detach --network host {string.Concat(volumes.Select(v => $"--mount type=volume,src={v},dst=/{v},volume-driver=volman "))} busybox sh -c 'for v in /lab-*; do echo x > $v/f; done; touch /done; sleep 1000'");
        Assert.Equal("200", await Poll.ForAsync("200", () => scene.Server.ShAsync("ls /srv/export/lab-*/f 2>/dev/null | wc -l")));
        scene.Note("200 are in use");
        Assert.Equal("1", await scene.One.ShAsync($"grep -c '{LabHost.StateDirectory}/state/nfs/' /proc/self/mountinfo"));
        await scene.EndsCleanAsync();
    }
}
