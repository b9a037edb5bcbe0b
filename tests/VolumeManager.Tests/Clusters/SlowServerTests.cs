using System.Diagnostics;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Clusters;

/// <summary>A PostgreSQL server that does not answer, or a slow way to it.</summary>
[Trait("Catalog", "postgres")]
public sealed class SlowServerTests : OwnServer
{
    [Fact]
    public async Task A_frozen_server_costs_the_first_call_some_seconds_and_the_next_ones_nothing()
    {
        await StartServerAsync(PostgresOptions.Fast);
        var host = await AddHostAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        DateTime since;
        Server.Freeze();
        try
        {
            var clock = Stopwatch.StartNew();
            Assert.Equal("", await host.Engine.MountAsync("v", "x"));
            var first = clock.Elapsed;
            await Task.Delay(host.Settings.Timings.RestartWait);
            clock.Restart();
            Assert.Equal(["v"], await host.Engine.ListAsync());
            Assert.Equal("", (await host.Engine.GetAsync("v")).Err);
            Assert.Equal("", await host.Engine.MountAsync("v", "y"));
            Assert.StartsWith("the cluster's catalog is away", await host.Engine.CreateAsync("w"), StringComparison.Ordinal);
            Assert.True(clock.Elapsed < first, $"the first call took {first}, the next ones {clock.Elapsed}");
        }
        finally
        {
            // A heartbeat that was sent before is not the news that all is told.
            since = DateTime.UtcNow;
            Server.Thaw();
        }

        await BackAsync(host, since);
        Assert.Equal("x=1 y=1", await host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task A_slow_way_to_the_server_is_slow_and_nothing_else()
    {
        await StartServerAsync(PostgresOptions.Fast);
        await using var link = await PostgresProxy.StartAsync(Server.Socket);
        var host = await AddHostAsync(PostgresServer.ConnectionString(link.SocketDirectory, link.Port, Database));
        link.Delay = TimeSpan.FromMilliseconds(200);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            Assert.Equal("", await host.Engine.CreateAsync($"v{i}"));
            Assert.Equal("", await host.Engine.MountAsync($"v{i}", "x"));
            Assert.False((await ClusterTests.StatusAsync(host.Engine, $"v{i}")).TryGetProperty("Stale", out _));
            Assert.Equal("", await host.Engine.UnmountAsync($"v{i}", "x"));
            Assert.Equal("", await host.Engine.RemoveAsync($"v{i}"));
        }));
        Assert.Equal(0, await host.CountMountRowsAsync());
    }
}
