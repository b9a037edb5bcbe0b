using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Clusters;

/// <summary>A standby that takes over from a server that has died.</summary>
[Trait("Catalog", "postgres")]
public sealed class StandbyTakeoverTests : OwnServer
{
    [Fact]
    public async Task A_call_waits_for_the_standby_that_takes_over_and_loses_nothing()
    {
        await StartServerAsync();
        var primary = Server;
        await using var standby = await PostgresServer.StartStandbyAsync(primary);
        var hosts = $"Host={primary.Host},{standby.Host};Username=postgres;Database={Database};Target Session Attributes=primary";
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
        Assert.Equal(2, await standby.ScalarAsync<long>("SELECT count(*) FROM mounts", Database));
        Assert.Equal(["v", "w"], await host.Engine.ListAsync());
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        Assert.Equal(1, await standby.ScalarAsync<long>("SELECT count(*) FROM mounts", Database));
    }

    [Fact]
    public async Task A_standby_that_had_not_heard_all_is_told_again_by_the_host_that_holds_it()
    {
        await StartServerAsync();
        var primary = Server;
        await using var standby = await PostgresServer.StartStandbyAsync(primary);
        var host = await AddHostAsync($"Host={primary.Host},{standby.Host};Username=postgres;Database={Database};Target Session Attributes=primary");
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        await standby.CatchUpAsync(primary);
        standby.Freeze();
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        await primary.KillAsync();
        standby.Thaw();
        await standby.PromoteAsync();
        await Poll.UntilAsync(
            "the mount that only the dead server had is told to the living one", async () => await standby.ScalarAsync<long>("SELECT count(*) FROM mounts", Database) == 1);
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        // The link may have been coming up at that moment.
        await Poll.UntilAsync("the Unmount is told", async () => await standby.ScalarAsync<long>("SELECT count(*) FROM mounts", Database) == 0);
    }
}
