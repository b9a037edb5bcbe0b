namespace VolumeManager.Tests.Clusters;

/// <summary>What a host that is cut off from the catalog says of a volume that others have changed meanwhile must not be taken for true later.</summary>
[Trait("Catalog", "postgres")]
public sealed class CutOffCallTests
{
    [Fact]
    public async Task A_Create_is_not_acknowledged_for_a_volume_that_may_be_gone()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        Assert.Contains("away", await cluster[0].Engine.CreateAsync("v"), StringComparison.Ordinal);
        await cluster.HealAsync(0);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        Assert.Equal("", await cluster[1].Engine.UnmountAsync("v", "x"));
    }

    [Fact]
    public async Task In_the_moments_after_it_a_Create_is_acknowledged_only_for_what_is_there()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        for (var round = 0; round < 5; round++)
        {
            Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
            await cluster.CutAsync(0);
            Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
            var healing = cluster.HealAsync(0);
            var answer = await cluster[0].Engine.CreateAsync("v");
            if (answer.Length == 0) Assert.Equal("ready", await cluster.ScalarAsync<string>("SELECT state FROM volumes WHERE name = 'v' AND state IN ('ready', 'removing')"));
            await healing;
        }
    }

    [Fact]
    public async Task A_Remove_is_not_acknowledged_while_the_name_may_be_another_volumes()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        // The last that this host hears: another host removes it.
        await cluster.ChangeVolumesAsync("state = 'removing', removed_at = now()");
        Assert.Contains("\"removing\"", (await cluster[0].Engine.GetAsync("v")).Body, StringComparison.Ordinal);
        await cluster.CutAsync(0);
        await cluster.ChangeVolumesAsync("state = 'gone', purge_after = now() + interval '1 day'");
        Directory.Delete(cluster[0].DataOf("v"), recursive: true);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        Assert.Contains("away", await cluster[0].Engine.RemoveAsync("v"), StringComparison.Ordinal);
        var healing = cluster.HealAsync(0);
        Assert.NotEqual("", await cluster[0].Engine.RemoveAsync("v"));
        await healing;
        Assert.Contains("in use", await cluster[0].Engine.RemoveAsync("v"), StringComparison.Ordinal);
        Assert.Equal("x=1", await cluster[1].MountRowsAsync("v"));
    }
}
