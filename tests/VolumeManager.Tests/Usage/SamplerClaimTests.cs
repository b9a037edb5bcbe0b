using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Hosts;
using static VolumeManager.Tests.Usage.UsageClusterTests;

namespace VolumeManager.Tests.Usage;

/// <summary>Of the hosts of a cluster one measures for all, as long as it has the claim to it.</summary>
[Trait("Catalog", "postgres")]
public sealed class SamplerClaimTests
{
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
        await Poll.UntilAsync("all are measured again", async () => await CountAsync(cluster, "usage_samples") >= 2 * volumes);
        foreach (var host in cluster.Hosts) await host.PassedAsync();
        Assert.Equal(0, await CountAsync(cluster, "(SELECT id FROM volumes JOIN usage_samples ON volume_id = id WHERE name LIKE 'v%' GROUP BY id HAVING count(*) <> 2) AS odd"));
        Assert.Equal(0, await CountAsync(cluster, "offences"));
    }

    [Fact]
    public async Task While_a_host_has_the_claim_no_other_measures_and_when_it_ran_out_one_does()
    {
        await using var cluster = await StartAsync(2);
        await Poll.UntilAsync("the claim is another's", () => cluster.ScalarAsync<bool>($"""
            WITH claimed AS (UPDATE catalog SET sampler_host_id = '{Guid.NewGuid()}', sampler_until = now() + interval '1 hour' WHERE sampler_until IS NULL OR sampler_until < now() RETURNING 1)
            SELECT count(*) > 0 FROM claimed
            """));
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        foreach (var link in cluster.Links)
        {
            // Each pass asks.
            var passes = link.RoundTrips;
            await Poll.UntilAsync("it looks for what is due", () => link.RoundTrips > passes + 20);
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
        await Command.OutputOfAsync("sh", "-c", "cd \"$0\" && for d in $(seq 20); do mkdir $d; (cd $d && seq 1000 | xargs touch); done", cluster[1].DataOf("long"));
        await cluster[1].StopAsync();

        cluster[0].Settings = cluster[0].Settings.Measuring(Once);
        using (var daemon = await DaemonProcess.StartAsync(cluster[0]))
        {
            await Poll.UntilAsync("the first is measured", async () => await CountAsync(cluster, "usage_samples") == 1);
            await daemon.KillAsync();
        }

        Assert.Equal("first", await cluster.ScalarAsync<string>("SELECT name FROM volumes JOIN usage_samples ON volume_id = id"));
        Assert.True(await cluster.ScalarAsync<bool>("SELECT sampler_until > now() FROM catalog"));
        cluster[1].Settings = cluster[1].Settings.Measuring(Once);
        await cluster[1].StartAsync();
        await cluster.ExecuteAsync("UPDATE catalog SET sampler_until = now() - interval '1 second'");
        await Poll.UntilAsync("the others are measured", async () => await CountAsync(cluster, "usage_samples") == 3);
        Assert.Equal(1, await CountAsync(cluster, "usage_samples JOIN hosts ON hosts.id = host_id WHERE hosts.name = 'host-0'"));
        Assert.Equal(20_021, await cluster.ScalarAsync<long>("SELECT used_files FROM volumes WHERE name = 'long'"));
    }
}
