using System.Diagnostics;

namespace VolumeManager.EndToEnd.Lab;

/// <summary>A host is gone: what it alone may have follows its service to another, and comes back.</summary>
[Collection(Laboratory.Collection)]
public sealed class NfsFailover(Laboratory lab, ITestOutputHelper output)
{
    [LabFact]
    public async Task An_exclusive_volume_follows_its_container_after_a_power_cut_and_goes_back()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.Two, "-o access=single-host");
        await scene.Two.DockerAsync($"run --detach --network host --name first --volume {volume}:/x busybox sh -c 'echo two > /x/f; sync; sleep 1000'");
        await Poll.UntilAsync("it has written", async () => await scene.Server.ShAsync($"cat /srv/export/{volume}/f 2>/dev/null || true") == "two");
        Assert.Contains("h2", await scene.Three.RefusedAsync($"run --rm --volume {volume}:/x busybox true"), StringComparison.Ordinal);

        var clock = Stopwatch.StartNew();
        await scene.Two.PowerOffAsync();
        await Poll.UntilAsync("h3 takes it over", async () => (await scene.Three.TryAsync($"docker run --rm --network host --volume {volume}:/x busybox sh -c 'cat /x/f; echo three > /x/f'")).Output == "two", TimeSpan.FromMinutes(1));
        scene.Note($"taken over after {clock.Elapsed.TotalSeconds:0.0} s (lease {Laboratory.Lease.TotalSeconds:0} s, grace {Laboratory.Grace.TotalSeconds:0} s)");
        Assert.Equal("2", await scene.AskAsync($"SELECT epoch FROM volumes WHERE name = '{volume}'"));

        await scene.Two.PowerOnAsync();
        await scene.Two.StartAllAsync();
        Assert.Equal("three", await scene.Two.RunAsync(volume, "cat /x/f"));
        scene.Note("and back");
        await scene.EndsCleanAsync();
    }

    [LabFact]
    public async Task An_exclusive_volume_follows_its_service_after_a_power_cut_and_goes_back()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.One, "-o access=single-host");
        await scene.FormSwarmAsync();
        await scene.One.DockerAsync("node update --availability drain h3");
        await scene.One.DockerAsync($"service create --quiet --detach --network host --name moves --constraint node.hostname!=h1 --env NODE={{{{.Node.Hostname}}}} --stop-signal KILL --restart-delay 500ms --no-resolve-image "
            + $"--mount type=volume,src={volume},dst=/x,volume-driver=volman busybox sh -c 'echo $NODE >> /x/log; sleep 100000'");
        async Task<string> LogAsync() => await scene.Server.ShAsync($"echo $(cat /srv/export/{volume}/log 2>/dev/null)");
        Assert.Equal("h2", await Poll.ForAsync("h2", LogAsync));
        await scene.One.DockerAsync("node update --availability active h3");

        var clock = Stopwatch.StartNew();
        await scene.Two.PowerOffAsync();
        Assert.Equal("h2 h3", await Poll.ForAsync("h2 h3", LogAsync, TimeSpan.FromMinutes(1)));
        scene.Note($"the service runs on h3 {clock.Elapsed.TotalSeconds:0.0} s after h2 lost power; up to {Laboratory.Failover.TotalSeconds:0} s are expected");

        await scene.Two.PowerOnAsync();
        await scene.Two.StartAllAsync();
        await lab.SwarmReadyAsync();
        await scene.One.DockerAsync("node update --availability drain h3");
        Assert.Equal("h2 h3 h2", await Poll.ForAsync("h2 h3 h2", LogAsync, TimeSpan.FromMinutes(1)));
        scene.Note("and back");
        await scene.One.DockerAsync("service rm moves");
        await scene.One.DockerAsync("node update --availability active h3");
        await scene.EndsCleanAsync();
    }

    /// <summary>Decision 0011: the catalog is fenced, the container that already runs is not.</summary>
    [LabFact]
    public async Task A_frozen_host_that_thaws_gives_up_what_another_has_taken_over()
    {
        await using var scene = await lab.SceneAsync(output);
        var volume = await scene.CreateVolumeAsync(scene.Two, "-o access=single-host");
        await scene.Two.HoldAsync(volume, "first");
        await scene.Two.FreezeAsync();
        var clock = Stopwatch.StartNew();
        await Poll.UntilAsync("h3 takes it over", async () => (await scene.Three.TryAsync($"docker run --detach --network host --name second --volume {volume}:/x busybox sleep 100000 || {{ docker rm second; exit 1; }}")).Succeeded, TimeSpan.FromMinutes(1));
        scene.Note($"taken over after {clock.Elapsed.TotalSeconds:0.0} s; up to {Laboratory.Failover.TotalSeconds:0} s are expected");
        await scene.Two.ThawAsync();
        await Poll.UntilAsync("h2 gives it up", async () => (await scene.Two.DockerAsync($"volume inspect --format '{{{{.Status.GivenUp}}}}' {volume}")).Contains("another host has taken the volume", StringComparison.Ordinal));
        Assert.Contains("was taken over by another host", await scene.Two.RefusedAsync($"run --rm --volume {volume}:/x busybox true"), StringComparison.Ordinal);
        Assert.Equal("", await Poll.ForAsync("", () => scene.Two.ShAsync($"grep -o ' {LabHost.StateDirectory}/mnt/{volume} ' /proc/self/mountinfo || true")));
        Assert.NotEqual("0", await scene.AskAsync("SELECT count(*) FROM events WHERE kind = 'give-up' AND volume_name = '" + volume + "'"));
        scene.Note("given up");
        await scene.EndsCleanAsync();
    }
}
