namespace VolumeManager.EndToEnd.Lab;

/// <summary>Volumes that move between a host's disk and a real NFS server, and clones on the server.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsCopies(Laboratory lab, ITestOutputHelper output)
{
    // Other programs than volman tell what there is.
    const string Seen = "cd /x && find . | sort | xargs stat -c \"%n %f %u %g %Y\" && find . -type f | sort | xargs sha256sum && readlink a/link && stat -c %h a/one";

    [LabFact]
    public async Task A_volume_moves_from_a_disk_to_the_server_is_cloned_there_and_moves_back()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One, "-o backend=local -o label.team=web -o mode=0750");
        await scene.One.RunAsync(volume, "mkdir -p /x/a/b; echo one > /x/a/one; ln /x/a/one /x/a/b/same; ln -s one /x/a/link; head -c 3000000 /dev/urandom > /x/random; chown 7:8 /x/a/b; chmod 600 /x/random");
        var before = await scene.One.RunAsync(volume, Seen);
        await scene.One.HoldAsync(volume, "holder");
        Assert.Contains("is in use on host h1", (await scene.One.TryAsync($"/srv/volman/volman volume move {volume} --server h0 --export /")).Errors, StringComparison.Ordinal);
        await scene.One.DockerAsync("rm -f holder");

        Assert.Equal($"Volume {volume} is at h0:/{volume}.", await scene.One.VolmanAsync($"volume move {volume} --server h0 --export /"));
        scene.Note("moved to the server");
        // What the server has, and not only what the host that copied believes.
        Assert.Equal(before, await lab.Server.ShAsync("export LC_ALL=C; " + Seen.Replace("/x", $"/srv/export/{volume}", StringComparison.Ordinal)));
        foreach (var host in lab.Engines) Assert.Equal(before, await host.RunAsync(volume, Seen));
        Assert.Equal("web", await scene.Two.DockerAsync($"volume inspect --format '{{{{.Status.Labels.team}}}}' {volume}"));
        // The engine asks for what it was made with whenever a container names its options.
        await scene.One.DockerAsync($"run --rm --mount type=volume,src={volume},dst=/x,volume-driver=volman,volume-opt=backend=local,volume-opt=label.team=web,volume-opt=mode=0750 busybox true");

        var clone = LabScene.NewVolume();
        Assert.Equal($"Volume {clone} is at h0:/{clone}.", await scene.Two.VolmanAsync($"volume clone {volume} {clone}"));
        Assert.Equal(before, await scene.Three.RunAsync(clone, Seen));
        await scene.Three.RunAsync(clone, "echo two > /x/a/one");
        scene.Note("cloned on the server");

        // Written a moment ago on another host, whose kernel may have times of change to itself still.
        var fresh = LabScene.NewVolume();
        await scene.One.RunAsync(volume, "for i in 1 2 3; do echo $i > /x/a/new$i; touch -d 2020-01-0$i /x/a/new$i; done");
        await scene.Two.VolmanAsync($"volume clone {volume} {fresh}");
        before = await scene.One.RunAsync(volume, Seen);
        Assert.Equal(before, await scene.Three.RunAsync(fresh, Seen));

        Assert.StartsWith($"Volume {volume} is at /srv/volman/data/{volume}.", await scene.One.VolmanAsync($"volume move {volume} --backend local"), StringComparison.Ordinal);
        Assert.Equal(before, await scene.One.RunAsync(volume, Seen));
        Assert.Contains($"{volume}.moved-", await scene.Three.VolmanAsync("trash ls"), StringComparison.Ordinal);
        // No difference between catalog, kernel, directories and engine is left behind. Of exports that other scenes have taken away it tells too.
        Assert.Empty(await scene.One.DiagnoseAsync(f => f.GetProperty("severity").GetString() == "error" && (f.GetProperty("code").GetString() != "export-unreachable" || f.GetProperty("subject").GetString() == "h0:/")));
        await scene.One.DockerAsync($"volume rm {volume}");
        await scene.EndsCleanAsync();
    }
}
