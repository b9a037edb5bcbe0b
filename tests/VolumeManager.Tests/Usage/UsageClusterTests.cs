using VolumeManager.Tests.Clusters;

namespace VolumeManager.Tests.Usage;

/// <summary>What the hosts of a cluster measure, and what they know of it.</summary>
[Trait("Catalog", "postgres")]
public class UsageClusterTests
{
    internal static readonly TimeSpan Once = TimeSpan.FromHours(1);

    internal static async Task<TestCluster> StartAsync(int hosts)
    {
        var cluster = await TestCluster.StartNewAsync(hosts, start: false);
        foreach (var host in cluster.Hosts)
        {
            host.Settings = host.Settings.Measuring(Once) with { Lease = TimeSpan.FromSeconds(6) };
            await host.StartAsync();
        }

        return cluster;
    }

    internal static Task AllMeasuredAsync(TestCluster cluster, int volumes) =>
        Poll.UntilAsync($"{volumes} volumes are measured", async () => await CountAsync(cluster, "volumes WHERE sampled_at IS NOT NULL") == volumes);

    internal static Task<long> CountAsync(TestCluster cluster, string rows) => cluster.ScalarAsync<long>("SELECT count(*) FROM " + rows);

    [Fact]
    public async Task All_hosts_tell_what_one_has_measured()
    {
        await using var cluster = await StartAsync(2);
        Directory.CreateDirectory(cluster[0].DataOf("old"));
        await File.WriteAllTextAsync(cluster[0].DataOf("old") + "/f", new string('x', 50_000));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", new Dictionary<string, string> { ["path"] = "old" }));
        var expected = await Figures.DuAsync(cluster[0].DataOf("old"));
        foreach (var host in cluster.Hosts) await Poll.UntilAsync($"Status says {expected}", async () => await host.StatusAsync("v") == expected);
    }

    [Fact]
    public async Task Volumes_of_another_data_root_are_left_to_the_hosts_that_have_it()
    {
        await using var cluster = await StartAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("here"));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("there"));
        await AllMeasuredAsync(cluster, 2);
        await cluster.ExecuteAsync("UPDATE volumes SET export = 'another', sampled_at = NULL WHERE name = 'there'; UPDATE volumes SET sampled_at = NULL WHERE name = 'here'");
        await Poll.UntilAsync("the one that is here is measured", async () => await CountAsync(cluster, "usage_samples") == 3);
        await cluster[0].PassedAsync();
        Assert.True(await cluster.ScalarAsync<bool>("SELECT sampled_at IS NULL FROM volumes WHERE name = 'there'"));
    }

    [Fact]
    public async Task At_rest_a_pass_is_one_question()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        // No heartbeat comes in between, nor a pass of the janitor.
        cluster[0].Settings = cluster[0].Settings with { Lease = TimeSpan.FromHours(1), ReconcileInterval = TimeSpan.FromHours(1), UsageInterval = TimeSpan.FromSeconds(1) };
        await cluster[0].StartAsync();
        var counts = new List<int>();
        for (var i = 0; i < 4; i++)
        {
            var before = cluster.Links[0].RoundTrips;
            await Poll.UntilAsync("a pass", () => cluster.Links[0].RoundTrips > before);
            await Task.Delay(300);
            counts.Add(cluster.Links[0].RoundTrips - before);
        }

        Assert.Equal(1, counts.Min());
    }

    [Fact]
    public async Task While_the_database_is_away_nothing_is_measured_and_afterwards_it_goes_on()
    {
        await using var cluster = await StartAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await AllMeasuredAsync(cluster, 1);
        await cluster.CutAsync(0);
        await cluster.ExecuteAsync("UPDATE volumes SET sampled_at = NULL");
        await cluster.HealAsync(0);
        await Poll.UntilAsync("it is measured again", async () => await CountAsync(cluster, "usage_samples") == 2);
    }
}
