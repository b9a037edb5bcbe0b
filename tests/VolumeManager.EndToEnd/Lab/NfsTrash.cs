namespace VolumeManager.EndToEnd.Lab;

/// <summary>Removed volumes on a real NFS server: any host lists them, brings them back or deletes them.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsTrash(Laboratory lab, ITestOutputHelper output)
{
    [LabFact]
    public async Task What_one_host_removes_another_restores_under_a_new_name_and_a_third_reads()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One, "-o mode=0750 -o uid=33 -o label.team=web");
        await scene.One.RunAsync(volume, "echo written on one > /x/f; chown 7 /x/f");
        await scene.One.DockerAsync($"volume rm {volume}");
        Assert.Equal("", await scene.Server.ShAsync("ls /srv/export"));
        Assert.Contains($" {volume} ", await scene.Three.VolmanAsync("trash ls"), StringComparison.Ordinal);

        var restored = LabScene.NewVolume();
        Assert.Equal($"Volume {restored} is restored to h0:/{restored}.", await scene.Two.VolmanAsync($"volume restore {volume} --as {restored}"));
        scene.Note("restored");
        Assert.Equal("written on one 7 33 750", await scene.Three.RunAsync(restored, "echo $(cat /x/f) $(stat -c %u /x/f) $(stat -c \"%u %a\" /x)"));
        Assert.Equal("web", await scene.Three.DockerAsync($"volume inspect --format '{{{{.Status.Labels.team}}}}' {restored}"));
        foreach (var host in lab.Engines) Assert.Equal(restored, await host.DockerAsync("volume ls --quiet --filter driver=volman"));
        Assert.Equal("", await scene.Server.ShAsync($"ls /srv/export/.trash | grep {volume} || true"));

        // The old name is nobody's, and a new volume of it is empty.
        await scene.One.DockerAsync($"volume create --driver volman {volume}");
        Assert.Equal("0", await scene.One.RunAsync(volume, "ls /x | wc -l"));
        await scene.One.DockerAsync($"volume rm {restored} {volume}");
        await scene.Three.VolmanAsync($"trash empty --yes {restored}");
        Assert.Equal("0", await Poll.ForAsync("0", () => scene.Server.ShAsync($"ls /srv/export/.trash | grep -c '^{restored}[.]' || true")));
        Assert.Equal("1", await scene.Server.ShAsync($"ls /srv/export/.trash | grep -c '^{volume}[.]'"));
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task Without_the_server_nothing_is_changed_and_what_a_killed_daemon_began_is_finished()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        await scene.One.RunAsync(volume, "echo written on one > /x/f");
        await scene.One.DockerAsync($"volume rm {volume}");
        await scene.Two.CutFromAsync(scene.Server);
        var refused = await scene.Two.TryAsync($"/srv/volman/volman volume restore {volume}");
        Assert.False(refused.Succeeded);
        Assert.Contains("NFS server h0", refused.Errors, StringComparison.Ordinal);
        Assert.Equal("trashed", await scene.AskAsync($"SELECT state FROM volumes WHERE name = '{volume}'"));
        await scene.HealAsync();

        // In the midst of its steps, wherever that is.
        await scene.Two.ShAsync($"/srv/volman/volman volume restore {volume} >/dev/null 2>&1 & for i in $(seq 200); do [ \"$(curl -s --unix-socket /run/volman/admin.sock http://volman/v1/trash | grep -c {volume})\" = 0 ] && break; sleep 0.01; done; pkill -KILL -x volman; wait");
        scene.Note("killed");
        // Whoever began it is given two minutes.
        await scene.AskAsync("UPDATE catalog SET revision = revision + 1; UPDATE volumes SET removed_at = removed_at - interval '1 hour', revision = (SELECT revision FROM catalog) WHERE state = 'restoring'");
        await scene.Two.StartVolmanAsync();
        Assert.Equal("ready", await Poll.ForAsync("ready", () => scene.AskAsync($"SELECT state FROM volumes WHERE name = '{volume}'")));
        // The last of them has last seen it go away.
        foreach (var host in lab.Engines.Reverse()) Assert.Equal("written on one", await host.RunAsync(volume, "cat /x/f"));
        for (var i = 0; i < 3; i++)
        {
            var (from, to) = (lab.Engines[i % 3], lab.Engines[(i + 1) % 3]);
            await from.DockerAsync($"volume rm {volume}");
            await to.VolmanAsync($"volume restore {volume}");
            foreach (var host in lab.Engines) Assert.Equal("written on one", await host.RunAsync(volume, "cat /x/f"));
        }

        await scene.EndsCleanAsync();
    }
}
