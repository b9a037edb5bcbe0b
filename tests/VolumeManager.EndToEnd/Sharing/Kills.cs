using System.Diagnostics;
using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Sharing;

/// <summary>Daemons end by kill -9, wherever they are in a call, while containers run on every host.</summary>
[Collection(SharedClusters.Collection)]
public sealed class Kills(SharedClusters clusters, ITestOutputHelper output)
{
    static readonly TimeSpan s_killing = TimeSpan.FromSeconds(25);
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);
    static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(0.8);

    /// <summary>What a node's user was told: the runs that succeeded, and all volumes that were made in the end.</summary>
    sealed record Acknowledged(IReadOnlyList<string> Runs, IReadOnlyList<string> Volumes, int Failures);

    [Theory, InstalledCluster, Cluster28]
    public async Task Kills_at_random_points_lose_nothing_that_was_acknowledged(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync(scene.One);
        foreach (var node in scene.Nodes)
            await node.StartContainerAsync("counts", $"--volume {volume}:/x", Counting.ScriptFor(node.Name));

        var killing = KillAsync(scene);
        var acknowledged = await Task.WhenAll(scene.Nodes.Select(node => WorkAsync(scene, node, volume, killing)));
        await killing;
        foreach (var node in scene.Nodes)
            await node.IsUpToDateAsync(volume);

        foreach (var (node, told) in scene.Nodes.Zip(acknowledged))
        {
            scene.Note($"{node.Name}: {told.Runs.Count} runs, {told.Volumes.Count} volumes, {told.Failures} commands failed");
            await Counting.NeverNoticedAsync(node, "counts", PathOf(scene, volume, node.Name));
            IsWritten(told.Runs, PathOf(scene, volume, $"{node.Name}-runs"));
            await AreKnownEverywhereAsync(scene, told.Volumes);
            Assert.Contains("in use", await node.CallVolmanAsync("Remove", new { Name = volume }), StringComparison.Ordinal);
        }
        Assert.NotEmpty(acknowledged.SelectMany(told => told.Runs));
        await scene.One.SeesHoldersAsync(volume, "host1 host2 host3");

        // A call that a kill cut off may leave a mount that no container has, and whose end no engine will tell: it is dropped after the engine's next start.
        scene.Note($"users: {await scene.Catalog.UsersAsync(volume)}");
        await Task.WhenAll(scene.Nodes.Select(async node =>
        {
            await node.Engine.StopAsync();
            await node.Engine.StartAsync();
        }));
        await scene.EndsCleanAsync();
    }

    static async Task KillAsync(ClusterScene scene)
    {
        var clock = Stopwatch.StartNew();
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var kills = 0;
        for (; clock.Elapsed < s_killing; kills++)
        {
            await Task.Delay(random.NextDouble() * s_longestPause);
            var daemon = scene.Nodes[random.Next(scene.Nodes.Count)].Daemon;
            await daemon.KillAsync();
            await Task.Delay(random.NextDouble() * s_longestPause / 2);
            await daemon.StartAsync();
        }
        scene.Note($"{kills} kills, seed {seed}");
    }

    /// <summary>A command whose call was cut off fails, for an engine cannot repeat it; the user can.</summary>
    static async Task<Acknowledged> WorkAsync(ClusterScene scene, Node node, string volume, Task killing)
    {
        var (runs, volumes, failures) = (new List<string>(), new List<string>(), 0);
        for (var i = 0; !killing.IsCompleted; i++)
        {
            if ((await node.TryDockerAsync($"run --rm --network host --volume {volume}:/x {Image.Name} sh -c", $"echo {i} >> /x/{node.Name}-runs")).Succeeded)
                runs.Add($"{i}");
            else
                failures++;
            var another = scene.NewVolume();
            failures--;
            await Poll.UntilAsync($"{another} is made", async () =>
            {
                failures++;
                return (await node.TryDockerAsync($"volume create --driver volman --opt label.made-on={node.Name} {another}")).Succeeded;
            }, s_patience);
            volumes.Add(another);
        }
        return new Acknowledged(runs, volumes, failures);
    }

    /// <summary>Each once. One that failed may have written too: it was perhaps its end that was cut off.</summary>
    static void IsWritten(IReadOnlyList<string> runs, string path)
    {
        // An engine repeats a call that was cut off without its body, for 15 s: twice in a row, and no run of that host has come to anything.
        var written = File.Exists(path) ? File.ReadAllLines(path) : [];
        Assert.Equal(written.Distinct(StringComparer.Ordinal), written);
        Assert.Empty(runs.Except(written, StringComparer.Ordinal));
    }

    static async Task AreKnownEverywhereAsync(ClusterScene scene, IReadOnlyList<string> volumes)
    {
        foreach (var node in scene.Nodes)
            Assert.Empty(volumes.Except(await node.LinesAsync("volume ls --quiet --filter driver=volman"), StringComparer.Ordinal));
    }

    static string PathOf(ClusterScene scene, string volume, string file) => Path.Combine(scene.Cluster.DataRoot, volume, file);
}
