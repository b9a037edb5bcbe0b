using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Usage;

/// <summary>Of the hosts of a cluster one measures for all.</summary>
public class UsageClusterTests
{
    static readonly TimeSpan s_once = TimeSpan.FromHours(1);

    static async Task<TestCluster> StartAsync(int hosts)
    {
        var cluster = await TestCluster.StartNewAsync(hosts, start: false);
        foreach (var host in cluster.Hosts)
        {
            host.Settings = host.Settings.Measuring(s_once) with { Lease = TimeSpan.FromSeconds(6) };
            await host.StartAsync();
        }

        return cluster;
    }

    static Task AllMeasuredAsync(TestCluster cluster, int volumes) =>
        TestHost.EventuallyAsync(async () => await CountAsync(cluster, "volumes WHERE sampled_at IS NOT NULL") == volumes, $"{volumes} volumes are measured");

    static Task<long> CountAsync(TestCluster cluster, string rows) => cluster.ScalarAsync<long>("SELECT count(*) FROM " + rows);

    [Fact]
    public async Task Never_do_two_measure_at_a_time_and_each_volume_is_measured_once()
    {
        await using var cluster = await StartAsync(3);
        // Each sample must come from the host that has the claim at that moment.
        await cluster.ExecuteAsync("""
            CREATE TABLE offences (host_id uuid);
            CREATE FUNCTION check_claim() RETURNS trigger AS $$ BEGIN
                INSERT INTO offences SELECT NEW.host_id WHERE NOT EXISTS (SELECT 1 FROM catalog WHERE sampler_host_id = NEW.host_id AND sampler_until > clock_timestamp());
                RETURN NEW;
            END $$ LANGUAGE plpgsql;
            CREATE TRIGGER check_claim BEFORE INSERT ON usage_samples FOR EACH ROW EXECUTE FUNCTION check_claim();
            """);
        const int volumes = 120;
        for (var i = 0; i < volumes; i++) Assert.Equal("", await cluster[i % 3].Engine.CreateAsync($"v{i}"));
        await AllMeasuredAsync(cluster, volumes);
        Assert.Equal(volumes, await CountAsync(cluster, "usage_samples"));

        await cluster.ExecuteAsync("UPDATE volumes SET sampled_at = now() - interval '2 hours'");
        await TestHost.EventuallyAsync(async () => await CountAsync(cluster, "usage_samples") >= 2 * volumes, "all are measured again");
        foreach (var host in cluster.Hosts) await host.PassedAsync();
        Assert.Equal(0, await CountAsync(cluster, "(SELECT id FROM volumes JOIN usage_samples ON volume_id = id WHERE name LIKE 'v%' GROUP BY id HAVING count(*) <> 2) AS odd"));
        Assert.Equal(0, await CountAsync(cluster, "offences"));
    }

    [Fact]
    public async Task All_hosts_tell_what_one_has_measured()
    {
        await using var cluster = await StartAsync(2);
        Directory.CreateDirectory(cluster[0].DataOf("old"));
        await File.WriteAllTextAsync(cluster[0].DataOf("old") + "/f", new string('x', 50_000));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v", new Dictionary<string, string> { ["path"] = "old" }));
        var expected = await Figures.DuAsync(cluster[0].DataOf("old"));
        foreach (var host in cluster.Hosts) await TestHost.EventuallyAsync(async () => await host.StatusAsync("v") == expected, $"Status says {expected}");
    }

    [Fact]
    public async Task While_a_host_has_the_claim_no_other_measures_and_when_it_ran_out_one_does()
    {
        await using var cluster = await StartAsync(2);
        await TestHost.EventuallyAsync(() => cluster.ScalarAsync<bool>($"""
            WITH claimed AS (UPDATE catalog SET sampler_host_id = '{Guid.NewGuid()}', sampler_until = now() + interval '1 hour' WHERE sampler_until IS NULL OR sampler_until < now() RETURNING 1)
            SELECT count(*) > 0 FROM claimed
            """), "the claim is another's");
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        foreach (var link in cluster.Links)
        {
            // Each pass asks.
            var passes = link.RoundTrips;
            await TestHost.EventuallyAsync(() => Task.FromResult(link.RoundTrips > passes + 20), "it looks for what is due");
        }

        Assert.Equal(0, await CountAsync(cluster, "usage_samples"));
        await cluster.ExecuteAsync("UPDATE catalog SET sampler_until = now() - interval '1 second'");
        await AllMeasuredAsync(cluster, 1);
        Assert.Equal(1, await CountAsync(cluster, "usage_samples"));
    }

    [Fact]
    public async Task What_a_killed_host_has_not_measured_another_measures_and_nothing_else()
    {
        await using var cluster = await TestCluster.StartNewAsync(2, start: false);
        foreach (var host in cluster.Hosts) host.Settings = host.Settings with { Lease = TimeSpan.FromSeconds(6) };
        await cluster[1].StartAsync();
        foreach (var name in new[] { "first", "long", "last" }) Assert.Equal("", await cluster[1].Engine.CreateAsync(name));
        // A second at the pace of a local disk.
        await ShellCommand.RunAsync("sh", "-c", "cd \"$0\" && for d in $(seq 20); do mkdir $d; (cd $d && seq 1000 | xargs touch); done", cluster[1].DataOf("long"));
        await cluster[1].StopAsync();

        cluster[0].Settings = cluster[0].Settings.Measuring(s_once);
        await using (var daemon = await DaemonProcess.StartAsync(cluster[0]))
        {
            await TestHost.EventuallyAsync(async () => await CountAsync(cluster, "usage_samples") == 1, "the first is measured");
            await daemon.KillAsync();
        }

        Assert.Equal("first", await cluster.ScalarAsync<string>("SELECT name FROM volumes JOIN usage_samples ON volume_id = id"));
        Assert.True(await cluster.ScalarAsync<bool>("SELECT sampler_until > now() FROM catalog"));
        cluster[1].Settings = cluster[1].Settings.Measuring(s_once);
        await cluster[1].StartAsync();
        await cluster.ExecuteAsync("UPDATE catalog SET sampler_until = now() - interval '1 second'");
        await TestHost.EventuallyAsync(async () => await CountAsync(cluster, "usage_samples") == 3, "the others are measured");
        Assert.Equal(1, await CountAsync(cluster, "usage_samples JOIN hosts ON hosts.id = host_id WHERE hosts.name = 'host-0'"));
        Assert.Equal(20_021, await cluster.ScalarAsync<long>("SELECT used_files FROM volumes WHERE name = 'long'"));
    }

    [Fact]
    public async Task Volumes_of_another_data_root_are_left_to_the_hosts_that_have_it()
    {
        await using var cluster = await StartAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("here"));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("there"));
        await AllMeasuredAsync(cluster, 2);
        await cluster.ExecuteAsync("UPDATE volumes SET export = 'another', sampled_at = NULL WHERE name = 'there'; UPDATE volumes SET sampled_at = NULL WHERE name = 'here'");
        await TestHost.EventuallyAsync(async () => await CountAsync(cluster, "usage_samples") == 3, "the one that is here is measured");
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
            await TestHost.EventuallyAsync(() => Task.FromResult(cluster.Links[0].RoundTrips > before), "a pass");
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
        await TestHost.EventuallyAsync(async () => await CountAsync(cluster, "usage_samples") == 2, "it is measured again");
    }
}
