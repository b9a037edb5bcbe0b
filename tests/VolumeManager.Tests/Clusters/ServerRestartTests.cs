using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Clusters;

/// <summary>A PostgreSQL server that goes and comes back, or has no connection left.</summary>
[Trait("Catalog", "postgres")]
public sealed class ServerRestartTests : OwnServer
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_server_that_is_stopped_or_killed_and_comes_back_has_all_that_was_acknowledged(bool killed)
    {
        await StartServerAsync();
        var host = await AddHostAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        var since = await Server.ScalarAsync<DateTime>("SELECT now()");
        if (killed) await Server.KillAsync();
        else await Server.StopAsync();
        Assert.Equal(["v"], await host.Engine.ListAsync());
        Assert.Equal("", await host.Engine.MountAsync("v", "y"));
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        await Server.StartAsync();
        await BackAsync(host, since);
        Assert.Equal("y=1", await host.MountRowsAsync("v"));
        Assert.Equal("", await host.Engine.CreateAsync("w"));
    }

    [Fact]
    public async Task A_restart_while_nobody_asks_is_not_noticed_by_who_asks_next()
    {
        await StartServerAsync();
        var host = await AddHostAsync();
        await Server.StopAsync();
        await Server.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
    }

    [Fact]
    public async Task A_server_without_a_free_connection_is_one_that_is_away()
    {
        await StartServerAsync(PostgresOptions.Fast with { MaxConnections = 12 });
        var host = await AddHostAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        var since = await Server.ScalarAsync<DateTime>("SELECT now()");
        var others = new List<Npgsql.NpgsqlConnection>();
        try
        {
            await Server.DisconnectAllAsync(Database);
            while (true)
            {
                var other = new Npgsql.NpgsqlConnection(Server.ConnectionString("postgres", extra: "Pooling=false"));
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
}
