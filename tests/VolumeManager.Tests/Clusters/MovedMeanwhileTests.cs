using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Tests.Admin;

namespace VolumeManager.Tests.Clusters;

/// <summary>What others moved while a host could not hear of it.</summary>
[Trait("Catalog", "postgres")]
public sealed class MovedMeanwhileTests
{
    [Fact]
    public async Task An_evicted_host_that_comes_back_hands_out_the_old_place_to_nobody()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await using var database = new PostgresDatabase(cluster.Server.ConnectionString(cluster.Database), "test");
        using var operate = OperatorClient.Of(cluster[1]);
        Directory.CreateDirectory(cluster[1].DataOf("team/v"));
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v", new { path = "team/v" }));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "c1"));
        await File.WriteAllTextAsync(cluster[0].TargetOf("v") + "/f", "old");
        await cluster.CutAsync(0);
        await cluster.ExpireLeaseAsync(0, "1 second");
        await Eviction.EvictAsync(database, "host-0", "test", force: false);
        // The two have one kernel here: the one would see what the other has mounted.
        await Command.OutputOfAsync("umount", cluster[0].TargetOf("v"));
        Assert.Equal("done", (await operate.SendAsync("POST", "/v1/volumes/v/move", """{"options": {"backend": "local"}}""")).Json.GetProperty("phase").GetString());
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "other"));
        await File.WriteAllTextAsync(cluster[1].TargetOf("v") + "/f", "new");

        await cluster.HealAsync(0);
        await Poll.UntilAsync("it is told", async () => (await cluster[0].EventsAsync("v")).Contains("give-up"));
        Assert.Equal(
            "volume v was moved to another place by another host while this one was lost: stop the containers of this host that still use it, then try again",
            await cluster[0].Engine.MountAsync("v", "c2"));
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "c1"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "c2"));
        Assert.Equal("new", await File.ReadAllTextAsync(cluster[0].TargetOf("v") + "/f"));
        Assert.Equal("c2=1 other=1", await cluster[0].MountRowsAsync("v"));
    }
}
