using VolumeManager.Tests.Hosts;
using static VolumeManager.Tests.Clusters.WrongClockTests;

namespace VolumeManager.Tests.Clusters;

/// <summary>A host whose clock is wrong by hours is cut off from the database.</summary>
[Trait("Catalog", "postgres")]
public sealed class WrongClockOutageTests
{
    [FakeTimeTheory]
    [InlineData(-5, false)]
    [InlineData(5, true)]
    [InlineData(-5, true)]
    public async Task What_happened_while_the_database_was_away_is_told_with_its_times_and_in_order(int hours, bool restarted)
    {
        var (cluster, first) = await StartAsync(hours);
        await using var _ = cluster;
        using var __ = first;
        foreach (var name in new[] { "held", "left" }) Assert.Equal("", await cluster[0].Engine.CreateAsync(name));
        Assert.Equal("", await cluster[0].Engine.MountAsync("left", "before"));
        await cluster.CutAsync(0);
        Assert.Equal("", await cluster[0].Engine.MountAsync("held", "x"));
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("left", "before"));
        if (restarted) await first.KillAsync();
        using var second = restarted ? await DaemonProcess.StartAsync(cluster[0], TimeSpan.FromHours(hours)) : null;
        Assert.Equal("", await cluster[0].Engine.MountAsync("held", "y"));
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("held", "x"));
        await cluster.HealAsync(0);
        Assert.Equal("y=1", await cluster[0].MountRowsAsync("held"));
        Assert.Equal("mount left before, mount held x, unmount left before, mount held y, unmount held x", await cluster.ScalarAsync<string>(
            "SELECT string_agg(kind || ' ' || volume_name || ' ' || caller_id, ', ' ORDER BY id) FROM events WHERE kind IN ('mount', 'unmount')"));
        await CheckTimesAsync(cluster);
        var since = (await ClusterTests.StatusAsync(cluster[0].Engine, "held")).GetProperty("Holders")[0].GetProperty("Since").GetDateTime().ToUniversalTime();
        var now = await cluster.ScalarAsync<DateTime>("SELECT now()");
        Assert.InRange(since, now.AddHours(-1), now.AddMinutes(1));
    }
}
