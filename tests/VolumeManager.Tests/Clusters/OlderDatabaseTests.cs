namespace VolumeManager.Tests.Clusters;

/// <summary>The database has an older revision than before: a backup was restored, or a standby took over that lacked the latest changes. The host joins the cluster again, and then knows what the database knows.</summary>
[Trait("Catalog", "postgres")]
public sealed class OlderDatabaseTests : IAsyncLifetime
{
    TestCluster _cluster = null!;

    public async Task InitializeAsync()
    {
        _cluster = await TestCluster.StartNewAsync(1, start: false);
        // No heartbeat asks before the test does.
        _cluster[0].Settings = _cluster[0].Settings with { Lease = TimeSpan.FromHours(1) };
        await _cluster[0].StartAsync();
        foreach (var name in new[] { "v", "w" }) Assert.Equal("", await _cluster[0].Engine.CreateAsync(name));
        Assert.Equal(["v", "w"], await _cluster[0].Engine.ListAsync());
        // As before the second volume was made.
        await _cluster.ExecuteAsync("""
            UPDATE catalog SET revision = (SELECT revision FROM volumes WHERE name = 'v');
            DELETE FROM volumes WHERE name = 'w'
            """);
    }

    public async Task DisposeAsync() => await _cluster.DisposeAsync();

    [Fact]
    public async Task A_query_for_one_volume_detects_an_older_database()
    {
        await Poll.UntilAsync("the host knows what the database knows", async () => (await _cluster[0].Engine.GetAsync("w")).Err == "no such volume");
        Assert.Equal("", (await _cluster[0].Engine.GetAsync("v")).Err);
    }

    [Fact]
    public async Task A_query_for_changes_detects_an_older_database()
    {
        await Poll.UntilAsync("the host knows what the database knows", async () => await _cluster[0].Engine.ListAsync() is ["v"]);
        Assert.Equal("", await _cluster[0].Engine.CreateAsync("w"));
        Assert.Equal(["v", "w"], await _cluster[0].Engine.ListAsync());
    }
}
