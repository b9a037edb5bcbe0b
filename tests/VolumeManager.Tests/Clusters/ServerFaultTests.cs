using System.Diagnostics;
using VolumeManager.Catalog;
using VolumeManager.Postgres;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>What befalls a PostgreSQL server, and what its hosts make of it. Each test has a server of its own.</summary>
public sealed class ServerFaultTests : IAsyncLifetime
{
    readonly string _data = Directory.CreateTempSubdirectory("volman-data-").FullName;
    readonly List<TestHost> _hosts = [];
    PostgresServer _server = null!;
    string _database = "";

    public Task InitializeAsync() => Task.CompletedTask;

    async Task StartServerAsync(PostgresOptions? options = null)
    {
        _server = await PostgresServer.StartNewAsync(options);
        _database = await _server.CreateDatabaseAsync();
        await using var database = new PostgresDatabase(_server.ConnectionString(_database, extra: "Pooling=false"), "test");
        await database.RunAsync(connection => PostgresSchema.MigrateAsync(connection, dryRun: false, CancellationToken.None), CancellationToken.None);
    }

    async Task<TestHost> AddHostAsync(string? connectionString = null)
    {
        var host = new TestHost($"host-{_hosts.Count}", connectionString ?? _server.ConnectionString(_database), _data, _server.ConnectionString(_database, extra: "Pooling=false"));
        _hosts.Add(host);
        await host.StartAsync();
        return host;
    }

    async Task BackAsync(TestHost host, DateTime since) => await TestHost.EventuallyAsync(
        () => _server.ScalarAsync<bool>($"SELECT last_seen_at > '{since:O}' FROM hosts WHERE name = '{host.Settings.HostName}'", _database), $"{host.Settings.HostName} is back");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_server_that_is_stopped_or_killed_and_comes_back_has_all_that_was_acknowledged(bool killed)
    {
        await StartServerAsync();
        var host = await AddHostAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        var since = await _server.ScalarAsync<DateTime>("SELECT now()");
        if (killed) await _server.KillAsync();
        else await _server.StopAsync();
        Assert.Equal(["v"], await host.Engine.ListAsync());
        Assert.Equal("", await host.Engine.MountAsync("v", "y"));
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        await _server.StartAsync();
        await BackAsync(host, since);
        Assert.Equal("y=1", await host.MountRowsAsync("v"));
        Assert.Equal("", await host.Engine.CreateAsync("w"));
    }

    [Fact]
    public async Task A_restart_while_nobody_asks_is_not_noticed_by_who_asks_next()
    {
        await StartServerAsync();
        var host = await AddHostAsync();
        await _server.StopAsync();
        await _server.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
    }

    [Fact]
    public async Task A_frozen_server_costs_the_first_call_some_seconds_and_the_next_ones_nothing()
    {
        await StartServerAsync(PostgresOptions.Fast);
        var host = await AddHostAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        DateTime since;
        _server.Freeze();
        try
        {
            var clock = Stopwatch.StartNew();
            Assert.Equal("", await host.Engine.MountAsync("v", "x"));
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"the first call took {clock.Elapsed}");
            await Task.Delay(2500);
            clock.Restart();
            Assert.Equal(["v"], await host.Engine.ListAsync());
            Assert.Equal("", (await host.Engine.GetAsync("v")).Err);
            Assert.Equal("", await host.Engine.MountAsync("v", "y"));
            Assert.StartsWith("the cluster's catalog is away", await host.Engine.CreateAsync("w"), StringComparison.Ordinal);
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2), $"the next calls took {clock.Elapsed}");
        }
        finally
        {
            // A heartbeat that was sent before is not the news that all is told.
            since = DateTime.UtcNow;
            _server.Thaw();
        }

        await BackAsync(host, since);
        Assert.Equal("x=1 y=1", await host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task A_slow_way_to_the_server_is_slow_and_nothing_else()
    {
        await StartServerAsync(PostgresOptions.Fast);
        await using var link = await PostgresProxy.StartAsync(_server.Socket);
        var host = await AddHostAsync(PostgresServer.ConnectionString(link.SocketDirectory, link.Port, _database));
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

    [Fact]
    public async Task A_server_without_a_free_connection_is_one_that_is_away()
    {
        await StartServerAsync(PostgresOptions.Fast with { MaxConnections = 12 });
        var host = await AddHostAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        var since = await _server.ScalarAsync<DateTime>("SELECT now()");
        var others = new List<Npgsql.NpgsqlConnection>();
        try
        {
            await _server.DisconnectAllAsync(_database);
            while (true)
            {
                var other = new Npgsql.NpgsqlConnection(_server.ConnectionString("postgres", extra: "Pooling=false"));
                others.Add(other);
                await other.OpenAsync();
            }
        }
        catch (Npgsql.PostgresException e)
        {
            Assert.Equal("53300", e.SqlState);
        }

        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        Assert.Equal(["v"], await host.Engine.ListAsync());
        foreach (var other in others) await other.DisposeAsync();
        await BackAsync(host, since);
        Assert.Equal("x=1", await host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task A_call_waits_for_the_standby_that_takes_over_and_loses_nothing()
    {
        await StartServerAsync();
        var primary = _server;
        await using var standby = await PostgresServer.StartStandbyAsync(primary);
        var hosts = $"Host={primary.Host},{standby.Host};Username=postgres;Database={_database};Target Session Attributes=primary";
        var host = await AddHostAsync(hosts);
        Assert.Equal("", await host.Engine.CreateAsync("v", new Dictionary<string, string> { ["access"] = "single-host" }));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        await standby.CatchUpAsync(primary);
        await primary.KillAsync();
        var create = host.Engine.CreateAsync("w");
        var mount = host.Engine.MountAsync("v", "y");
        await Task.Delay(3000);
        Assert.False(create.IsCompleted);
        await standby.PromoteAsync();
        Assert.Equal("", await create);
        Assert.Equal("", await mount);
        Assert.Equal(2, await standby.ScalarAsync<long>("SELECT count(*) FROM mounts", _database));
        Assert.Equal(["v", "w"], await host.Engine.ListAsync());
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        Assert.Equal(1, await standby.ScalarAsync<long>("SELECT count(*) FROM mounts", _database));
    }

    [Fact]
    public async Task A_standby_that_had_not_heard_all_is_told_again_by_the_host_that_holds_it()
    {
        await StartServerAsync();
        var primary = _server;
        await using var standby = await PostgresServer.StartStandbyAsync(primary);
        var host = await AddHostAsync($"Host={primary.Host},{standby.Host};Username=postgres;Database={_database};Target Session Attributes=primary");
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        await standby.CatchUpAsync(primary);
        standby.Freeze();
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        await primary.KillAsync();
        standby.Thaw();
        await standby.PromoteAsync();
        await TestHost.EventuallyAsync(
            async () => await standby.ScalarAsync<long>("SELECT count(*) FROM mounts", _database) == 1, "the mount that only the dead server had is told to the living one");
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        // The link may have been coming up at that moment.
        await TestHost.EventuallyAsync(async () => await standby.ScalarAsync<long>("SELECT count(*) FROM mounts", _database) == 0, "the Unmount is told");
    }

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts) await host.DisposeAsync();
        await _server.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }
}
