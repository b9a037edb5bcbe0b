using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>Three hosts get the new program one after the other, under their containers; at no step can one of them do less than before.</summary>
[Collection(ReleaseBefore.Collection)]
public sealed class UpgradeOfCluster(ReleaseBefore release, ITestOutputHelper output)
{
    [Theory, InstalledCluster]
    public async Task A_cluster_is_upgraded_host_by_host(EngineKind engine)
    {
        var earlier = await release.ProgramAsync();
        await using var cluster = await Cluster.StartAsync(engine, Shares.CatalogAndData, earlier);
        await using var scene = new ClusterScene(cluster, output);
        var steps = new UpgradeSteps(scene, earlier);
        var shared = await scene.CreateVolumeAsync(scene.One, "label.team=web", "mode=0750");
        var alone = await scene.CreateVolumeAsync(scene.Three, "access=single-host");
        var trashed = await scene.CreateVolumeAsync(scene.Two);
        await scene.Two.RunAsync($"--volume {trashed}:/x", "echo kept > /x/f");
        foreach (var node in scene.Nodes)
            await steps.StartCountingAsync(node, shared);
        await scene.Three.StartContainerAsync("holds", $"--volume {alone}:/x", Counting.ScriptFor("alone"));
        var doomed = await scene.CreateVolumeAsync(scene.Three);
        await scene.Two.DockerAsync($"volume rm {trashed} {doomed}");
        await steps.EveryHostWorksAsync("three old daemons");

        await using (var load = new UpgradeLoad(scene))
        {
            await load.RunsAsync();
            await steps.MigrateBehindAReaderAsync(load);
            await load.RunsAsync();
        }

        await steps.EveryHostWorksAsync("three old daemons on the new schema");
        await steps.NothingIsLostAsync(shared, alone);

        await steps.UpgradeAsync(scene.One);
        await steps.VersionsAsync(scene.One);
        await UpgradeSteps.VolmanAsync(scene.One, $"trash empty --yes {doomed}");
        await steps.NothingLeavesTheTrashYetAsync(scene.One, trashed, doomed);
        await steps.EveryHostWorksAsync("one new daemon");
        await steps.NothingIsLostAsync(shared, alone);

        await steps.UpgradeCutOffAsync(scene.Two, shared);
        await steps.VersionsAsync(scene.One, scene.Two);
        await steps.EveryHostWorksAsync("two new daemons");
        await steps.NothingIsLostAsync(shared, alone);

        await steps.UpgradeAsync(scene.Three);
        await steps.VersionsAsync([.. scene.Nodes]);
        await steps.EveryHostWorksAsync("three new daemons");
        await steps.NothingIsLostAsync(shared, alone);

        await steps.IsPurgedAsync(doomed);
        await UpgradeSteps.VolmanAsync(scene.Three, $"volume restore {trashed}");
        Assert.Equal("kept", await scene.Two.RunAsync($"--volume {trashed}:/x", "cat /x/f"));
        await scene.EndsCleanAsync();
    }
}
