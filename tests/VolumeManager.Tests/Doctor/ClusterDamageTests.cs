using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Doctor;

/// <summary>What can be wrong between the hosts of a cluster.</summary>
[Trait("Catalog", "postgres")]
public sealed class ClusterDamageTests
{
    [Fact]
    public async Task A_host_that_is_lost_for_long_is_told_with_what_it_holds()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        Assert.Equal("", await cluster[1].Engine.CreateAsync("v"));
        Assert.Equal("", await cluster[1].Engine.MountAsync("v", "x"));
        // The hosts of this cluster share one kernel, where the one would take the mount of the other for a container of its own.
        await cluster[1].StopAsync();
        cluster[1].UnmountAll();
        await cluster.ExpireLeaseAsync(1);
        await cluster[0].TellsAsync("host-lost", "warning", "and holds 1 mounts; while it may come back what is in the trash stays there", "volman host evict host-1");
    }

    [Fact]
    public async Task Several_versions_are_told()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        await cluster.ExecuteAsync("UPDATE hosts SET version = '0.1.9' WHERE name = 'host-1'");
        await cluster[0].TellsAsync("versions-differ", "warning", $"several versions of volman: 0.1.9 on host-1; {ProgramVersion.Text} on host-0", "install the same version on all");
    }

    [Fact]
    public async Task Volumes_in_another_data_root_are_told()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("here"));
        await cluster.ExecuteAsync("""
            INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, provisioned_at, revision)
            SELECT gen_random_uuid(), 'there', backend, server, 'another-root', 'there', adopted, access, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, now(), revision + 1 FROM volumes;
            UPDATE catalog SET revision = revision + 1;
            """);
        await cluster[0].TellsAsync("data-root-other", "warning", "1 volumes of the cluster, such as there, lie in another data root", "mount the cluster's shared directory there");
    }

    [FakeTimeTheory]
    [InlineData(-90, "behind")]
    [InlineData(90, "ahead of")]
    public async Task A_wrong_clock_is_told(int seconds, string how)
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        using var daemon = await DaemonProcess.StartAsync(cluster[0], TimeSpan.FromSeconds(seconds));
        var found = await cluster[0].FindOneAsync("clock-skew", "warning");
        Assert.Matches($"the clock of this host is (89|90).[0-9] s {how} the database's", found.Problem);
    }
}
