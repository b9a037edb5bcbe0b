namespace VolumeManager.EndToEnd.Lab;

/// <summary>Where a volume may lie, and how it may be reached there: versions and options of NFS, addresses, adopted and read-only directories.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsPlaces(Laboratory lab, ITestOutputHelper output)
{
    const string Shown = "grep \" /x \" /proc/mounts";

    [LabFact]
    public async Task A_volume_may_have_NFS_options_of_its_own_and_a_mount_that_goes_when_it_is_not_needed()
    {
        await using var scene = await lab.SceneAsync(output);
        var own = await scene.CreateVolumeAsync(scene.One, "-o nfsopts=vers=4.1,nconnect=2,actimeo=1,noexec");
        var usual = await scene.CreateVolumeAsync(scene.One);
        var shown = await scene.One.RunAsync(own, Shown);
        foreach (var option in (string[])["vers=4.1", "nconnect=2", "acregmin=1", "noexec"]) Assert.Contains(option, shown, StringComparison.Ordinal);
        await scene.One.HoldAsync(usual, "holds");
        Assert.Contains("vers=4.2", await scene.One.DockerAsync($"exec holds {Shown.Replace('"', '\'')}"), StringComparison.Ordinal);
        Assert.Contains("option nfsopts has \"addr=10.0.0.1\", which is not allowed", await scene.One.RefusedAsync($"volume create --driver volman -o nfsopts=addr=10.0.0.1 {LabScene.NewVolume()}"), StringComparison.Ordinal);
        Assert.Equal("1", await Poll.ForAsync("1", () => scene.One.ExportsAsync()));
        scene.Note("one mount of the export is left, which is in use");
        Assert.Equal("still", await scene.One.RunAsync(own, "echo still"));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task Version_3_serves_too()
    {
        await using var scene = await lab.SceneAsync(output);
        // Version 3 counts the path from the server's own root.
        var volume = await scene.CreateVolumeAsync(scene.One, "-o export=/srv/export -o nfsopts=vers=3,nolock");
        Assert.Contains("vers=3", await scene.One.RunAsync(volume, $"echo three > /x/f; {Shown}"), StringComparison.Ordinal);
        Assert.Equal("three", await scene.Two.RunAsync(volume, "cat /x/f"));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_server_may_have_an_IPv6_address()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One, "-o server=[fd77::10] -o export=/");
        // The kernel finds out that it is h0, and may show that one's address.
        await scene.One.RunAsync(volume, "echo six > /x/f");
        Assert.Equal("six", await scene.Two.RunAsync(volume, "cat /x/f"));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_name_that_means_another_machine_now_is_followed()
    {
        await using var scene = await lab.SceneAsync(output);
        await scene.Three.ShAsync("start-nfs");
        await scene.One.ShAsync("echo 10.77.0.10 nas >> /etc/hosts");
        var before = await scene.CreateVolumeAsync(scene.One, "-o server=nas -o export=/");
        await scene.One.RunAsync(before, "echo here > /x/f");
        await scene.One.CutFromAsync(scene.Server);
        Assert.Contains("the NFS server nas does not answer", await scene.One.RefusedAsync($"run --rm --volume {before}:/x busybox true"), StringComparison.Ordinal);
        await scene.One.ShAsync("sed 's/^10.77.0.10 nas/10.77.0.13 nas/' /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts");
        var after = await scene.CreateVolumeAsync(scene.One, "-o server=nas -o export=/");
        await scene.One.RunAsync(after, "echo there > /x/f");
        Assert.Equal("there", await scene.Three.ShAsync($"cat /srv/export/{after}/f"));
        scene.Note("the name was followed");

        await scene.HealAsync();
        await scene.One.DockerAsync($"volume rm {after}");
        await scene.One.ShAsync("sed 's/^10.77.0.13 nas/10.77.0.10 nas/' /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts");
        // What was found is good for a second.
        await Task.Delay(1500);
        Assert.Equal("here", await scene.One.RunAsync(before, "cat /x/f"));
        await scene.One.DockerAsync($"volume rm {before}");
        await scene.One.ShAsync("sed '/ nas$/d' /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts");
        await scene.Three.ShAsync("rpc.nfsd 0; exportfs -ua");
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task An_existing_directory_is_adopted_read_only_or_not_and_stays()
    {
        await using var scene = await lab.SceneAsync(output);
        await scene.Server.ShAsync("mkdir -p /srv/export/legacy/app /srv/export/legacy/app2; echo old > /srv/export/legacy/app/f; echo old2 > /srv/export/legacy/app2/f");
        var adopted = await scene.CreateVolumeAsync(scene.One, "-o path=legacy/app");
        Assert.Equal("old", await scene.Two.RunAsync(adopted, "cat /x/f; echo new > /x/g"));
        var readOnly = await scene.CreateVolumeAsync(scene.One, "-o path=legacy/app2 -o access=read-only");
        Assert.Equal("old2", await scene.Two.RunAsync(readOnly, "cat /x/f; if echo no > /x/g; then echo written; fi 2>/dev/null"));
        Assert.Contains("is not an existing directory", await scene.One.RefusedAsync($"volume create --driver volman -o path=legacy/none {LabScene.NewVolume()}"), StringComparison.Ordinal);
        await scene.One.DockerAsync($"volume rm {adopted} {readOnly}");
        Assert.Equal("/srv/export/legacy/app/f /srv/export/legacy/app/g /srv/export/legacy/app2/f", await scene.Server.ShAsync("echo $(find /srv/export/legacy -type f | sort)"));
        await scene.Server.ShAsync("rm -r /srv/export/legacy");
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task A_server_that_takes_roots_rights_away_is_told_of_with_the_cure()
    {
        await using var scene = await lab.SceneAsync(output);
        // A file system of its own: within one, NFS 4 knows the options of the outer export only.
        await scene.Server.ShAsync("mkdir -p /srv/export/squashed; mount -t tmpfs -o mode=755 tmpfs /srv/export/squashed; exportfs -o rw,sync,no_subtree_check,root_squash,insecure,fsid=79 '*:/srv/export/squashed'");
        var error = await scene.One.RefusedAsync($"volume create --driver volman -o export=/squashed {LabScene.NewVolume()}");
        Assert.Contains("root_squash", error, StringComparison.Ordinal);
        Assert.Contains("export /squashed with no_root_squash", error, StringComparison.Ordinal);
        scene.Note(error);
        Assert.Equal("0", await Poll.ForAsync("0", () => scene.One.ExportsAsync("squashed")));
        await scene.Server.ShAsync("exportfs -u '*:/srv/export/squashed'; exportfs -f; umount -l /srv/export/squashed; rmdir /srv/export/squashed");
        await scene.EndsCleanAsync();
    }
}
