using System.Diagnostics;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>
/// One test on a cluster. It must end with <see cref="EndsCleanAsync"/>;
/// a test that did not get there shows the logs and spoils the cluster for others.
/// </summary>
internal sealed class ClusterScene : IAsyncDisposable
{
    static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(3);
    static int s_count;

    readonly ITestOutputHelper _output;
    readonly Func<Task>? _spoiled;
    readonly int[] _logStarts;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    bool _clean;

    public ClusterScene(Cluster cluster, ITestOutputHelper output, Func<Task>? spoiled = null)
    {
        (Cluster, _output, _spoiled) = (cluster, output, spoiled);
        _logStarts = [.. cluster.Nodes.Select(node => node.Daemon.Log.Count)];
    }

    public Cluster Cluster { get; }
    public SharedCatalog Catalog => Cluster.Catalog;
    public IReadOnlyList<Node> Nodes => Cluster.Nodes;
    public Node One => Nodes[0];
    public Node Two => Nodes[1];
    public Node Three => Nodes[2];

    /// <summary>A name that no other test uses. The volume comes to be when something creates it.</summary>
    public string NewVolume() => $"shared-{Interlocked.Increment(ref s_count)}";

    public async Task<string> CreateVolumeAsync(Node node, params IEnumerable<string> options)
    {
        var name = NewVolume();
        await node.DockerAsync($"volume create --driver volman {string.Concat(options.Select(option => $"--opt {option} "))}{name}");
        return name;
    }

    /// <summary>Tells how far the test is. A test never judges it.</summary>
    public void Note(string what) => _output.WriteLine($"{_clock.Elapsed.TotalSeconds:0.0} s: {what}");

    /// <summary>Takes every service and container away, and then nothing may be in use on any host: no row, no kernel mount. All volumes can be removed.</summary>
    public async Task EndsCleanAsync()
    {
        Note("the end begins");
        if (Cluster.HasSwarm)
            await (await Cluster.SwarmAsync()).RemoveServicesAsync();
        await Task.WhenAll(Nodes.Select(node => node.RemoveContainersAsync()));
        await NothingIsMountedAsync();
        foreach (var node in Nodes)
            await node.RemoveVolumesAsync();
        foreach (var node in Nodes)
            Assert.Empty(await node.LinesAsync("volume ls --quiet --filter driver=volman"));
        Note("clean");
        _clean = true;
    }

    public async Task NothingIsMountedAsync()
    {
        Assert.Equal(0, await Poll.ForAsync(0, Cluster.MountRowsAsync, s_deadline));
        foreach (var node in Nodes)
            Assert.Equal("", await Poll.ForAsync("", () => Task.FromResult(string.Join(' ', node.Daemon.KernelMounts))));
    }

    public async ValueTask DisposeAsync()
    {
        if (_clean)
            return;
        Note("not clean");
        await WriteAsync(Cluster.DumpAsync);
        foreach (var (node, start) in Nodes.Zip(_logStarts))
        {
            _output.WriteLine($"=== volman on {node.Name}:\n{string.Join('\n', node.Daemon.Log.Skip(start).TakeLast(100))}");
            _output.WriteLine($"=== dockerd on {node.Name}:\n{string.Join('\n', node.Engine.Log.TakeLast(50))}");
        }
        if (_spoiled is not null)
            await _spoiled();
    }

    /// <summary>Whatever broke the test may break this too; the rest is still to be shown.</summary>
    async Task WriteAsync(Func<Task<string>> dump)
    {
        try
        {
            _output.WriteLine(await dump());
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException)
        {
            _output.WriteLine(e.Message);
        }
    }
}
