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
        scene.Note("done");
        await scene.EndsCleanAsync();
    }
}
