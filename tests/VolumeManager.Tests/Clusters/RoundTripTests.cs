using Xunit.Abstractions;

namespace VolumeManager.Tests.Clusters;

/// <summary>How often a request asks the shared database. A network multiplies this, and engines ask all the time: a round trip more is a fault.</summary>
[Trait("Catalog", "postgres")]
public class RoundTripTests(ITestOutputHelper output)
{
    const int Tries = 5;

    /// <summary>By then what a request leaves to the background has been sent; it counts with the request.</summary>
    static readonly TimeSpan s_settled = TimeSpan.FromMilliseconds(60);

    [Fact]
    public async Task Reads_cost_one_round_trip_and_no_change_costs_more_than_two_but_a_Remove_which_takes_three()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        // No heartbeat comes in between.
        cluster[0].Settings = cluster[0].Settings with { Lease = TimeSpan.FromHours(1) };
        await cluster[0].StartAsync();
        var engine = cluster[0].Engine;
        var counts = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        async Task CountAsync(string operation, Func<Task<string>> ask)
        {
            await Task.Delay(s_settled);
            var before = cluster.Links[0].RoundTrips;
            Assert.Equal("", await ask());
            await Task.Delay(s_settled);
            if (!counts.TryGetValue(operation, out var list)) counts[operation] = list = [];
            list.Add(cluster.Links[0].RoundTrips - before);
        }

        // The first ones open connections and prepare statements; a keepalive may come in between later: the least of several counts is what it costs.
        for (var i = 0; i < Tries; i++)
        {
            var name = $"v{i}";
            await CountAsync("Create", () => engine.CreateAsync(name, new Dictionary<string, string> { ["label.team"] = "a", ["mode"] = "0750" }));
            await CountAsync("Create again", () => engine.CreateAsync(name));
            await CountAsync("Get", async () => (await engine.GetAsync(name)).Err);
            await CountAsync("Get of no volume", async () => (await engine.GetAsync("nobody")).Err == "no such volume" ? "" : "a volume");
            await CountAsync("Path", async () => (await engine.CallAsync("/VolumeDriver.Path", $$"""{"Name":"{{name}}"}""")).Err);
            await CountAsync("List", async () => (await engine.CallAsync("/VolumeDriver.List", "{}")).Err);
            await CountAsync("Mount, the volume's first", () => engine.MountAsync(name, "x"));
            await CountAsync("Mount for another caller", () => engine.MountAsync(name, "y"));
            await CountAsync("Unmount of one of two", () => engine.UnmountAsync(name, "y"));
            await CountAsync("Unmount, the last", () => engine.UnmountAsync(name, "x"));
            await CountAsync("Mount, the host's first", () => engine.MountAsync(name, "x"));
            await CountAsync("Unmount", () => engine.UnmountAsync(name, "x"));
            await CountAsync("Remove", () => engine.RemoveAsync(name));
        }

        foreach (var (operation, counted) in counts) output.WriteLine($"{operation}: {string.Join(' ', counted)}");
        int Cost(string operation) => counts[operation].Min();
        foreach (var read in new[] { "Get", "Get of no volume", "Path", "List", "Create again", "Mount for another caller", "Unmount of one of two", "Unmount, the last", "Unmount" }) Assert.Equal((read, 1), (read, Cost(read)));
        foreach (var change in new[] { "Create", "Mount, the volume's first", "Mount, the host's first" }) Assert.InRange(Cost(change), 1, 2);
        Assert.InRange(Cost("Remove"), 1, 3);
    }

    [Fact]
    public async Task A_heartbeat_is_one_round_trip()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        cluster[0].Settings = cluster[0].Settings with { Lease = TimeSpan.FromSeconds(3) };
        await cluster[0].StartAsync();
        var counts = new List<int>();
        for (var beat = 0; beat < Tries; beat++)
        {
            var before = cluster.Links[0].RoundTrips;
            await Poll.UntilAsync("a heartbeat", () => cluster.Links[0].RoundTrips > before);
            await Task.Delay(300);
            counts.Add(cluster.Links[0].RoundTrips - before);
        }

        output.WriteLine(string.Join(' ', counts));
        Assert.Equal(1, counts.Min());
        Assert.True(await cluster.ScalarAsync<bool>("SELECT lease_expires_at > now() AND state = 'live' FROM hosts"));
    }
}
