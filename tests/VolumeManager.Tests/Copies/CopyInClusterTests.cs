using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Copies;

/// <summary>Copies while other hosts do something with the volume.</summary>
[Trait("Catalog", "postgres")]
public class CopyInClusterTests
{
    static Task<VolmanProcess.Ended> VolmanAsync(TestHost host, params string[] arguments) => VolmanProcess.RunAsync([.. arguments, "--admin-socket", host.Settings.AdminSocket], null);

    /// <summary>A volume in a directory that was there before, so that it can move within its place.</summary>
    static async Task MakeAdoptedAsync(TestHost host)
    {
        Directory.CreateDirectory(host.DataOf("old/deep"));
        await File.WriteAllTextAsync(host.DataOf("old/deep") + "/f", "data of v");
        Assert.Equal("", await host.Engine.CreateAsync("v", new Dictionary<string, string> { ["path"] = "old/deep" }));
    }

    /// <summary>Another host has taken the copy for abandoned and finished it, and then the volume was removed.</summary>
    [Theory]
    [InlineData("v", "volume", "move", "v", "--backend", "local")]
    [InlineData("w", "volume", "clone", "v", "w")]
    public async Task A_copy_that_comes_too_late_goes_into_the_trash(string name, params string[] command)
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await MakeAdoptedAsync(cluster[0]);
        await cluster.OvertakeAsync("restoring", "ready", $"state = CASE NEW.name WHEN '{name}' THEN 'trashed' ELSE 'ready' END, purge_after = now() + interval '1 day', removed_at = OLD.removed_at");
        VolmanProcess.AssertRefused($"the restoration of volume {name} was taken back on another host .+", await VolmanAsync(cluster[0], command));
        await cluster.OvertakeNoMoreAsync();
        Assert.False(Directory.Exists(cluster[0].DataOf(name)));
        // Until then it was nobody else's.
        Assert.True(await cluster.ScalarAsync<bool>($"SELECT removed_at > now() - interval '1 minute' FROM volumes WHERE name = '{name}' AND state = 'trashed'"));
        using var operate = OperatorClient.Of(cluster[0]);
        Assert.Equal("", (await operate.RestoreAsync(name)).Detail);
        Assert.Equal("data of v", await cluster[0].ReadAsync(name));
    }

    /// <summary>The database takes its time to close the volume, and the last that it hears of another host is before that.</summary>
    [Fact]
    public async Task A_move_waits_for_hosts_that_were_last_heard_of_before_the_volume_was_closed()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await MakeAdoptedAsync(cluster[0]);
        await cluster.CutAsync(1);
        await cluster.ExecuteAsync("""
            CREATE FUNCTION delay() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM pg_sleep(2);
                RETURN NEW;
            END $$;
            CREATE TRIGGER delay BEFORE UPDATE ON volumes FOR EACH ROW WHEN (OLD.state = 'ready' AND NEW.state = 'restoring') EXECUTE FUNCTION delay()
            """);
        var moving = VolmanAsync(cluster[0], "volume", "move", "v", "--backend", "local");
        await Poll.UntilAsync("the volume is being closed", () => cluster.ScalarAsync<bool>("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"));
        await Task.Delay(500);
        await cluster.ExecuteAsync("UPDATE hosts SET last_seen_at = now(), lease_expires_at = now() WHERE name = 'host-1'");
        VolmanProcess.AssertRefused("volume v cannot be moved now, for host host-1 was not heard of since the volume was closed, .+", await moving);
        Assert.Equal("data of v", await File.ReadAllTextAsync(cluster[0].DataOf("old/deep") + "/f"));
        Assert.Equal("ready", await cluster.ScalarAsync<string>("SELECT state FROM volumes WHERE name = 'v'"));
    }

    /// <summary>The copy is whole, and lies in the trash of the place that the volume still has: cut off there, or refused by the database.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_volume_that_did_not_move_is_not_taken_for_removed(bool cutOff)
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await MakeAdoptedAsync(cluster[0]);
        if (cutOff)
        {
            Directory.CreateDirectory(cluster[0].DataOf($".trash/v.{await cluster.ScalarAsync<Guid>("SELECT id FROM volumes"):N}/below"));
            await cluster.ChangeVolumesAsync("state = 'restoring', removed_at = now() - interval '3 minutes'");
            Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        }
        else
        {
            await cluster.ExecuteAsync("ALTER TABLE volumes ADD CONSTRAINT stays CHECK (directory <> 'v')");
            VolmanProcess.AssertRefused(".+", await VolmanAsync(cluster[0], "volume", "move", "v", "--backend", "local"));
        }

        Assert.Empty(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash")));
        foreach (var host in cluster.Hosts) Assert.Equal("data of v", await host.ReadAsync("v"));
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
    }
}
