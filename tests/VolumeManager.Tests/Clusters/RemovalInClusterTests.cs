namespace VolumeManager.Tests.Clusters;

/// <summary>Removals that two hosts are at, and what comes of the name meanwhile.</summary>
[Trait("Catalog", "postgres")]
public class RemovalInClusterTests
{
    [Fact]
    public async Task A_Create_waits_for_a_removal_that_another_host_is_at()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        await cluster.ChangeVolumesAsync("state = 'removing', removed_at = now()");
        Assert.Equal("volume v is being removed by a host of the cluster at this moment: try again", await cluster[0].Engine.CreateAsync("v"));
        var creating = cluster[0].Engine.CreateAsync("v");
        Directory.Move(cluster[0].DataOf("v"), Path.Combine(cluster[0].Settings.DataRoot, ".trash", $"v.{await cluster.ScalarAsync<Guid>("SELECT id FROM volumes"):N}"));
        await cluster.ChangeVolumesAsync("state = 'trashed', purge_after = now() + interval '1 day'");
        Assert.Equal("", await creating);
        Assert.Equal(1, await cluster.ScalarAsync<long>("SELECT count(*) FROM volumes WHERE state = 'ready'"));
    }

    [Theory]
    [InlineData("state = 'ready', removed_at = NULL")]
    [InlineData("state = 'restoring', removed_at = now() - interval '3 minutes'")]
    public async Task A_removal_that_comes_too_late_gives_back_the_data_that_it_moved(string instead)
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster[0].MakeAsync("v");
        await cluster.OvertakeAsync("removing", "trashed", instead);
        Assert.Equal("the removal of volume v was taken back on another host meanwhile, and it stays with its data: if it shall go, remove it again", await cluster[0].Engine.RemoveAsync("v"));
        await cluster.OvertakeNoMoreAsync();
        Assert.Equal("data of v", await File.ReadAllTextAsync(cluster[0].DataOf("v") + "/f"));
        Assert.Empty(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash")));
        // Finishes what is abandoned, too.
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        foreach (var host in cluster.Hosts) Assert.Equal("data of v", await host.ReadAsync("v"));
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
    }

    [Fact]
    public async Task A_removal_that_another_host_has_ended_is_done()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster[0].MakeAsync("v");
        await cluster.OvertakeAsync("removing", "trashed", "removed_at = now(), purge_after = now() + interval '1 day', state = 'purging'");
        Assert.Equal("", await cluster[0].Engine.RemoveAsync("v"));
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
        Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash")));
    }

    /// <summary>What was being removed when the catalog was last heard of may be in use on another host by now.</summary>
    [Fact]
    public async Task A_host_that_is_cut_off_ends_no_removal_that_it_remembers()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster[0].MakeAsync("v");
        await cluster.ChangeVolumesAsync("state = 'removing', removed_at = now()");
        Assert.Equal("", (await cluster[1].Engine.GetAsync("v")).Err);
        cluster.Links[1].Cut();
        await cluster.ChangeVolumesAsync("state = 'ready', removed_at = NULL");

        Assert.Contains("database", await cluster[1].Engine.RemoveAsync("v"), StringComparison.Ordinal);
        Assert.Equal("data of v", await File.ReadAllTextAsync(cluster[0].DataOf("v") + "/f"));
        await cluster.HealAsync(1);
        Assert.Equal("", await cluster[1].Engine.RemoveAsync("v"));
        Assert.False(Directory.Exists(cluster[0].DataOf("v")));
    }

    /// <summary>The other host claims the volume after this host read it: only the statement that closes the volume to mounts can see the claim.</summary>
    [Fact]
    public async Task Remove_is_refused_when_another_host_mounts_the_volume_after_it_was_read()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster[0].MakeAsync("v");
        Task<string> removing;
        await using (await cluster[0].LockCatalogAsync())
        {
            removing = cluster[0].Engine.RemoveAsync("v");
            await Poll.UntilAsync(
                "the removal waits for the lock", () => cluster.ScalarAsync<bool>("SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"));
            await cluster.ExecuteAsync("""
                INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch)
                SELECT volumes.id, hosts.id, 'late', 1, hosts.boot_id, 0, now(), volumes.epoch FROM volumes, hosts WHERE hosts.name = 'host-1'
                """);
        }

        Assert.StartsWith("volume v is in use on host host-1 (1 caller since ", await removing, StringComparison.Ordinal);
        Assert.Equal("data of v", await File.ReadAllTextAsync(cluster[0].DataOf("v") + "/f"));
        Assert.Equal("ready", await cluster.ScalarAsync<string>("SELECT state FROM volumes"));
    }

    /// <summary>Who waits for another host's removal asked for that volume, and not for the next of its name.</summary>
    [Fact]
    public async Task A_removal_that_another_host_ends_leaves_the_next_volume_of_that_name()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster[0].MakeAsync("v");
        await cluster.ChangeVolumesAsync("state = 'removing', removed_at = now()");
        var removing = cluster[1].Engine.RemoveAsync("v");
        await Task.Delay(TimeSpan.FromSeconds(1));
        Assert.False(removing.IsCompleted);
        Directory.Move(cluster[0].DataOf("v"), cluster[0].DataOf($".trash/v.{await cluster.ScalarAsync<string>("SELECT replace(id::text, '-', '') FROM volumes")}"));
        await cluster.ChangeVolumesAsync("state = 'trashed', purge_after = now() + interval '1 day'");
        await cluster[0].MakeAsync("v");
        Assert.Equal("", await removing);
        foreach (var host in cluster.Hosts) Assert.Equal("data of v", await host.ReadAsync("v"));
    }

    /// <summary>Two hosts remove one volume, and a third has made the next of that name before the slower of the two is told.</summary>
    [Fact]
    public async Task What_a_removal_has_moved_is_never_put_into_the_next_volume_of_that_name()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster[0].MakeAsync("v");
        await cluster.OvertakeAsync("removing", "trashed", """
            state = 'purging', purge_after = now() WHERE id = NEW.id;
            UPDATE volumes SET state = 'trashed', removed_at = now(), purge_after = now() + interval '1 day' WHERE id = NEW.id;
            INSERT INTO volumes SELECT (jsonb_populate_record(OLD, '{"id": "0d9f4d4c-31d5-4b5b-8f0e-6a5a3b8c1d2e", "state": "ready", "removed_at": null, "provisioned_at": null}')).*;
            PERFORM pg_sleep(2);
            UPDATE volumes SET name = name
            """);
        var removing = cluster[0].Engine.RemoveAsync("v");
        await Poll.UntilAsync("the data is in the trash", () => !Directory.Exists(cluster[0].DataOf("v")));
        Directory.CreateDirectory(cluster[0].DataOf("v"));
        Assert.Equal("", await removing);
        await cluster.OvertakeNoMoreAsync();
        Assert.Equal("data of v", await File.ReadAllTextAsync(Path.Combine(Assert.Single(Directory.GetFileSystemEntries(cluster[0].DataOf(".trash"))), "f")));
        foreach (var host in cluster.Hosts)
        {
            Assert.Equal("", await host.Engine.MountAsync("v", "next"));
            Assert.Empty(Directory.GetFileSystemEntries(host.TargetOf("v")));
            Assert.Equal("", await host.Engine.UnmountAsync("v", "next"));
        }
    }
}
