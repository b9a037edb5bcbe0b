using System.Diagnostics;
using VolumeManager.EndToEnd.Machines;

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
        await scene.Two.DockerAsync($"run --detach --name first --volume {volume}:/x busybox sh -c 'echo two > /x/f; sync; sleep 1000'");
        await Poll.UntilAsync("it has written", async () => await scene.Server.ShAsync($"cat /srv/export/{volume}/f 2>/dev/null || true") == "two");
        Assert.Contains("h2", await scene.Three.RefusedAsync($"run --rm --volume {volume}:/x busybox true"), StringComparison.Ordinal);

        var clock = Stopwatch.StartNew();
        await scene.Two.PowerOffAsync();
        await Poll.UntilAsync("h3 takes it over", async () => (await scene.Three.TryAsync($"docker run --rm --volume {volume}:/x busybox sh -c 'cat /x/f; echo three > /x/f'")).Output == "two", TimeSpan.FromMinutes(1));
        scene.Note($"taken over after {clock.Elapsed.TotalSeconds:0.0} s (lease {Laboratory.Lease.TotalSeconds:0} s, grace {Laboratory.Grace.TotalSeconds:0} s)");
        Assert.Equal("2", await scene.AskAsync($"SELECT epoch FROM volumes WHERE name = '{volume}'"));

        await scene.Two.PowerOnAsync();
        await scene.Two.StartAllAsync();
        Assert.Equal("three", await scene.Two.RunAsync(volume, "cat /x/f"));
        scene.Note("and back");
        await scene.EndsCleanAsync();
    }
}
