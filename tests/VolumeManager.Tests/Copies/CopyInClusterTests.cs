using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Copies;

/// <summary>Copies while other hosts do something with the volume.</summary>
public class CopyInClusterTests
{
    static Task<VolmanProcess.Ended> VolmanAsync(TestHost host, params string[] arguments) => VolmanProcess.RunAsync([.. arguments, "--admin-socket", host.Settings.AdminSocket], null);

    /// <summary>A volume in a directory that was there before, so that it can move within its place.</summary>
    static async Task MakeAdoptedAsync(TestHost host)
    {
        Directory.CreateDirectory(host.DataOf("old/deep"));
        await File.WriteAllTextAsync(host.DataOf("old/deep") + "/f", "data of v");
        Assert.Equal("", await host.Engine.CreateAsync("v", new Dictionary<string, string> { ["path"] = "old/deep" }));
    }

    /// <summary>Another host has taken the copy for abandoned and finished it, and then the volume was removed.</summary>
    [Theory]
    [InlineData("v", "volume", "move", "v", "--backend", "local")]
    [InlineData("w", "volume", "clone", "v", "w")]
    public async Task A_copy_that_comes_too_late_goes_into_the_trash(string name, params string[] command)
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await MakeAdoptedAsync(cluster[0]);
        await cluster.OvertakeAsync("restoring", "ready", $"state = CASE NEW.name WHEN '{name}' THEN 'trashed' ELSE 'ready' END, purge_after = now() + interval '1 day', removed_at = OLD.removed_at");
        VolmanProcess.AssertRefused($"the restoration of volume {name} was taken back on another host .+", await VolmanAsync(cluster[0], command));
        await cluster.OvertakeNoMoreAsync();
        Assert.False(Directory.Exists(cluster[0].DataOf(name)));
        // Until then it was nobody else's.
        Assert.True(await cluster.ScalarAsync<bool>($"SELECT removed_at > now() - interval '1 minute' FROM volumes WHERE name = '{name}' AND state = 'trashed'"));
        using var operate = OperatorClient.Of(cluster[0]);
        Assert.Equal("", (await operate.RestoreAsync(name)).Detail);
        Assert.Equal("data of v", await cluster[0].ReadAsync(name));
    }
}
