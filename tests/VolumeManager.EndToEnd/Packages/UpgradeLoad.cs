using VolumeManager.EndToEnd.Clusters;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>On each host of a cluster, until its end, a caller that makes, mounts, unmounts and removes volumes one after the other. Every call must succeed.</summary>
internal sealed class UpgradeLoad : IAsyncDisposable
{
    readonly ClusterScene _scene;
    readonly CancellationTokenSource _stop = new();
    readonly Task[] _callers;
    readonly int[] _rounds;

    public UpgradeLoad(ClusterScene scene)
    {
        _scene = scene;
        _rounds = new int[scene.Nodes.Count];
        _callers = [.. scene.Nodes.Select((node, i) => Task.Run(() => CallAsync(node, i)))];
    }

    /// <summary>Waits until every caller has come round some times more.</summary>
    public async Task RunsAsync()
    {
        int[] enough = [.. _rounds.Select(rounds => rounds + 10)];
        await Poll.UntilAsync("every host goes on", () => _callers.Any(caller => caller.IsFaulted) || _rounds.Zip(enough).All(pair => pair.First >= pair.Second));
        await Task.WhenAll(_callers.Where(caller => caller.IsFaulted));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_callers);
        _stop.Dispose();
        _scene.Note($"rounds of calls: {string.Join(", ", _rounds)}");
    }

    async Task CallAsync(Node node, int i)
    {
        var plugin = new PluginClient(node.Daemon.Socket);
        while (!_stop.IsCancellationRequested)
        {
            var volume = new { Name = _scene.NewVolume() };
            var mount = new { volume.Name, ID = $"caller-{volume.Name}" };
            Assert.Equal("", (await plugin.CallAsync("Create", volume)).Err);
            Assert.Equal("", (await plugin.CallAsync("Mount", mount)).Err);
            Assert.Equal("", (await plugin.CallAsync("Unmount", mount)).Err);
            Assert.Equal("", (await plugin.CallAsync("Remove", volume)).Err);
            _rounds[i]++;
        }
    }
}
