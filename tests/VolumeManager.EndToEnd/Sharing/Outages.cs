using System.Diagnostics;
using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Sharing;

/// <summary>Without PostgreSQL what runs goes on, what is known can be used, and what needs a decision is refused at once.</summary>
[Collection(SharedClusters.Collection)]
public sealed class Outages(SharedClusters clusters, ITestOutputHelper output)
{
    static readonly TimeSpan s_outage = TimeSpan.FromSeconds(20);

    [Theory, InstalledCluster, Cluster28]
    public async Task An_outage_of_PostgreSQL_is_survived(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var volume = scene.NewVolume();
        await scene.One.DockerAsync($"volume create --driver volman --label keep=me --opt label.team=a {volume}");
        await StartCountingAsync(scene, volume);

        var clock = Stopwatch.StartNew();
        await scene.Catalog.Server.StopAsync();
        foreach (var node in scene.Nodes)
        {
            await NoticesAsync(node, volume);
            Assert.Equal("a", (await node.InspectAsync(volume)).Label("team"));
        }
        scene.Note("noticed");
        Assert.Equal("me", (await scene.One.InspectAsync(volume)).EngineLabel("keep"));
        Assert.Equal("1", await scene.Two.RunAsync($"--volume {volume}:/x", "while read number; do echo $number; break; done < /x/host1"));
        await CreateIsRefusedAsync(scene, scene.One);
        await scene.Three.DockerAsync("stop counts");
        scene.Note("used");
        if (s_outage - clock.Elapsed is { Ticks: > 0 } rest)
            await Task.Delay(rest);
        foreach (var node in new[] { scene.One, scene.Two })
            await Counting.NeverNoticedAsync(node, "counts", LogOf(scene, volume, node));

        await scene.Catalog.Server.StartAsync();
        scene.Note("PostgreSQL is back");
        foreach (var node in scene.Nodes)
        {
            await node.IsUpToDateAsync(volume);
            await node.SeesHoldersAsync(volume, "host1 host2");
        }
        Assert.Equal("host1=1 host2=1", await Poll.ForAsync("host1=1 host2=1", () => scene.Catalog.UsersAsync(volume)));
        foreach (var node in new[] { scene.One, scene.Two })
            await Counting.NeverNoticedAsync(node, "counts", LogOf(scene, volume, node));
        var after = await scene.One.InspectAsync(volume);
        Assert.Equal("me", after.EngineLabel("keep"));
        Assert.Equal("a", after.Label("team"));
        await scene.EndsCleanAsync();
    }

    /// <summary>Connections that are neither broken nor answered: the worst kind.</summary>
    [Theory, InstalledCluster]
    public async Task A_host_that_has_no_word_from_PostgreSQL_is_lost_for_the_others_and_comes_back(EngineKind engine)
    {
        await using var scene = await clusters.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync(scene.One, "label.team=a");
        await StartCountingAsync(scene, volume);

        scene.Three.Proxy.Silence();
        await scene.One.SeesHoldersAsync(volume, "host1 host2 host3(lost)");
        scene.Note("lost");
        await NoticesAsync(scene.Three, volume);
        Assert.Null((await scene.One.InspectAsync(volume)).Stale);
        await CreateIsRefusedAsync(scene, scene.Three);
        // Longer than another host waits before it would take over: a shared volume needs no takeover.
        await Task.Delay(DaemonSettings.TakeoverGrace);
        await Counting.NeverNoticedAsync(scene.Three, "counts", LogOf(scene, volume, scene.Three));

        scene.Three.Proxy.Heal();
        await scene.Three.IsUpToDateAsync(volume);
        await scene.One.SeesHoldersAsync(volume, "host1 host2 host3");
        scene.Note("back");
        await Counting.NeverNoticedAsync(scene.Three, "counts", LogOf(scene, volume, scene.Three));
        await scene.EndsCleanAsync();
    }

    /// <summary>On each node a container `counts` that writes to a file of its own in the volume.</summary>
    static async Task StartCountingAsync(ClusterScene scene, string volume)
    {
        foreach (var node in scene.Nodes)
        {
            await node.StartContainerAsync("counts", $"--volume {volume}:/x", Counting.ScriptFor(node.Name));
            await Counting.GoesOnAsync(LogOf(scene, volume, node));
        }
    }

    static string LogOf(ClusterScene scene, string volume, Node node) => Path.Combine(scene.Cluster.DataRoot, volume, node.Name);

    static Task NoticesAsync(Node node, string volume) =>
        Poll.UntilAsync($"{node.Name} says that it may be out of date", async () => (await node.InspectAsync(volume)).Stale is { Length: > 0 });

    /// <summary>volman refuses by itself, before the engine gives up, and the user reads why.</summary>
    static async Task CreateIsRefusedAsync(ClusterScene scene, Node node)
    {
        var clock = Stopwatch.StartNew();
        IsRefusal(await node.CallVolmanAsync("Create", new { Name = scene.NewVolume() }));
        scene.Note($"refused in {clock.Elapsed.TotalSeconds:0.0} s");

        // The engine asks Get first. volman cannot know whether there is a volume of that name, and an error would say that there is none:
        // so it closes the connection. The engine asks again after 1, 3, 7 and 15 s, and only then goes on to Create.
        clock.Restart();
        IsRefusal(await node.RefusedAsync($"volume create --driver volman {scene.NewVolume()}"));
        scene.Note($"refused by the engine in {clock.Elapsed.TotalSeconds:0.0} s");
    }

    static void IsRefusal(string error)
    {
        Assert.Single(error.Split('\n'));
        Assert.Contains("the cluster's catalog is away since", error, StringComparison.Ordinal);
    }
}
