using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>A host whose clock is wrong by hours is a host like any other: all that is compared or written down is by the database's clock.</summary>
[Trait("Catalog", "postgres")]
public class WrongClockTests
{
    static readonly Dictionary<string, string> s_single = new() { ["access"] = "single-host" };

    /// <summary>A daemon of the first host under a wrong clock; the second host is in this process, and right.</summary>
    internal static async Task<(TestCluster Cluster, RunningProgram Daemon)> StartAsync(int hours, Func<Settings, Settings>? change = null)
    {
        var cluster = await TestCluster.StartNewAsync(2, start: false);
        foreach (var host in cluster.Hosts) host.Settings = host.Settings with { Lease = TimeSpan.FromSeconds(3), TakeoverGrace = TimeSpan.FromSeconds(3) };
        if (change is not null) cluster[0].Settings = change(cluster[0].Settings);
        await HearClockAsync(cluster, 0);
        var daemon = await DaemonProcess.StartAsync(cluster[0], TimeSpan.FromHours(hours));
        await cluster[1].StartAsync();
        return (cluster, daemon);
    }

    /// <summary>
    /// As if the host had heard from the database in this boot before. It is asked at the start too, but not waited for: on a machine that is busy with other tests it may
    /// answer too late, and the start would rightly have the host's own time.
    /// </summary>
    static async Task HearClockAsync(TestCluster cluster, int host)
    {
        using var state = StateDirectory.Open(cluster[host].Settings.StateDirectory);
        await using var database = new PostgresDatabase(cluster.Server.ConnectionString(cluster.Database), "test");
        await Poll.UntilAsync("the database tells the time", async () =>
        {
            await ClusterClock.OpenAsync(state, ThisHost.ReadBootId(new Settings().BootIdFile), database);
            return File.Exists(state.ClockFile);
        });
    }

    /// <summary>No time in the catalog is far from when the test ran.</summary>
    internal static async Task CheckTimesAsync(TestCluster cluster)
    {
        foreach (var times in new[] { "at FROM events", "created_at FROM volumes", "provisioned_at FROM volumes", "removed_at FROM volumes", "mounted_at FROM mounts", "last_seen_at FROM hosts" })
        {
            Assert.Equal("", await cluster.ScalarAsync<string>($"""
                SELECT COALESCE(string_agg(t::text, ', '), '') FROM (SELECT {times.Replace(" FROM", " AS t FROM", StringComparison.Ordinal)}) AS times
                WHERE t NOT BETWEEN now() - interval '1 hour' AND now() + interval '1 minute'
                """));
        }

        // What one host tells, it tells in the order in which it happened.
        Assert.Equal("", await cluster.ScalarAsync<string>("""
            SELECT COALESCE(string_agg(kind || ' ' || at, ', '), '')
            FROM (SELECT kind, at, lag(at) OVER (PARTITION BY host ORDER BY id) AS earlier FROM events WHERE kind IN ('mount', 'unmount', 'host-start')) AS told
            WHERE at < earlier - interval '2 seconds'
            """));
    }

    [FakeTimeTheory]
    [InlineData(5)]
    [InlineData(-5)]
    public async Task It_is_live_and_what_it_tells_has_the_databases_times(int hours)
    {
        var (cluster, daemon) = await StartAsync(hours, settings => settings with { Lease = TimeSpan.FromSeconds(6) });
        await using var _ = cluster;
        using var __ = daemon;
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "y"));
        Assert.Equal("", await cluster[0].Engine.UnmountAsync("v", "y"));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("removed"));
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("removed"));
        // Longer than its lease.
        var first = await cluster.ScalarAsync<DateTime>("SELECT lease_expires_at FROM hosts WHERE name = 'host-0'");
        await Poll.UntilAsync("its first lease is over", () => cluster.ScalarAsync<bool>($"SELECT now() > '{first:O}'"));
        Assert.Equal("live", await cluster.ScalarAsync<string>("SELECT state FROM hosts WHERE name = 'host-0'"));
        Assert.True(await cluster.ScalarAsync<bool>("SELECT lease_expires_at BETWEEN now() AND now() + interval '6 seconds' FROM hosts WHERE name = 'host-0'"));
        Assert.Equal(0, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'takeover' OR (kind = 'host-lost' AND host = 'host-0')"));
        Assert.True(await cluster.ScalarAsync<bool>("SELECT purge_after = removed_at + interval '24 hours' FROM volumes WHERE name = 'removed'"));
        await CheckTimesAsync(cluster);

        var now = await cluster.ScalarAsync<DateTime>("SELECT now()");
        foreach (var host in cluster.Hosts)
        {
            var volume = (await host.Engine.GetAsync("v")).Json.GetProperty("Volume");
            var holder = volume.GetProperty("Status").GetProperty("Holders")[0];
            Assert.Equal("live", holder.GetProperty("State").GetString());
            foreach (var time in new[] { volume.GetProperty("CreatedAt"), holder.GetProperty("Since") }) Assert.InRange(time.GetDateTime().ToUniversalTime(), now.AddHours(-1), now.AddMinutes(1));
        }
    }

    [FakeTimeTheory]
    [InlineData(5, -5)]
    [InlineData(-5, 5)]
    public async Task Takeover_waits_for_lease_and_grace_by_the_databases_clock_whoever_is_wrong(int holderHours, int takerHours)
    {
        await using var cluster = await TestCluster.StartNewAsync(2, start: false);
        foreach (var host in cluster.Hosts) host.Settings = host.Settings with { Lease = TimeSpan.FromSeconds(3), TakeoverGrace = TimeSpan.FromSeconds(3) };
        foreach (var host in new[] { 0, 1 }) await HearClockAsync(cluster, host);
        using var holder = await DaemonProcess.StartAsync(cluster[0], TimeSpan.FromHours(holderHours));
        using var taker = await DaemonProcess.StartAsync(cluster[1], TimeSpan.FromHours(takerHours));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", s_single));
        Assert.Equal("", await cluster[0].Engine.MountAsync("v", "x"));
        Assert.Matches("is mounted by host host-0", await cluster[1].Engine.MountAsync("v", "y"));
        await holder.KillAsync();
        await Poll.UntilAsync("the volume is taken over", async () => await cluster[1].Engine.MountAsync("v", "y") == "");
        Assert.True(await cluster.ScalarAsync<bool>("SELECT now() > lease_expires_at + interval '3 seconds' FROM hosts WHERE name = 'host-0'"), "it was taken over too early");
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'takeover'"));
        Assert.InRange(await cluster.ScalarAsync<long>("SELECT count(*) FROM events WHERE kind = 'host-lost' AND host = 'host-0'"), 1, 9);
        await CheckTimesAsync(cluster);
    }

    [FakeTimeTheory]
    [InlineData(100)]
    [InlineData(-100)]
    public async Task Trash_is_deleted_when_its_time_has_come_by_the_databases_clock(int hours)
    {
        // The first host to ask looks after the trash.
        var (cluster, daemon) = await StartAsync(hours, settings => settings with { TrashRetention = TimeSpan.FromSeconds(3), ReconcileInterval = TimeSpan.FromMilliseconds(300) });
        await using var _ = cluster;
        using var __ = daemon;
        foreach (var name in new[] { "soon", "later" }) Assert.Equal("", await cluster[0].Engine.CreateAsync(name));
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("later"));
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("soon"));
        await Poll.UntilAsync("what had its time is deleted", async () => (await cluster[0].EventsAsync("soon")).Contains("purge"));
        Assert.Equal("host-0", await cluster.ScalarAsync<string>("SELECT host FROM events WHERE kind = 'purge'"));
        Assert.True(await cluster.ScalarAsync<bool>("SELECT at >= removed_at + interval '3 seconds' FROM volumes JOIN events ON volume_id = volumes.id WHERE kind = 'purge'"), "it was deleted too early");
        await Task.Delay(1000);
        Assert.Equal("trashed", await cluster.ScalarAsync<string>("SELECT state FROM volumes WHERE name = 'later'"));
        await CheckTimesAsync(cluster);
    }
}
