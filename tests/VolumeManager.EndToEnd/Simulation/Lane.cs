using System.Diagnostics;

namespace VolumeManager.EndToEnd.Simulation;

/// <summary>Runs schedules one after the other on a cluster, and on another one after a failure.</summary>
internal sealed class Lane(CancellationTokenSource stop, ITestOutputHelper output) : IAsyncDisposable
{
    // Every host reads all rows of the catalog when it joins, those of removed volumes too.
    const int SchedulesPerCluster = 60;

    // How long FsCheck may look for a smaller schedule that fails, too.
    static readonly TimeSpan s_shrinkTime = TimeSpan.FromMinutes(2);

    readonly Stopwatch _clock = Stopwatch.StartNew();
    SimulatedCluster? _cluster;
    Exception? _noCluster;
    Stopwatch? _sinceFailure;
    int _count;

    /// <exception cref="SimulationException">What must hold did not.</exception>
    public async Task<bool> HoldsAsync(Schedule schedule)
    {
        // FsCheck cannot be stopped: a schedule that is not tried because time is up, or because another lane failed, counts as one that holds.
        if (_sinceFailure is null ? stop.IsCancellationRequested : _sinceFailure.Elapsed > s_shrinkTime)
            return true;
        if (_cluster is { Schedules: >= SchedulesPerCluster })
            await EndClusterAsync();
        if (await ClusterAsync() is not { } cluster)
            return true;
        var run = new Run(cluster, schedule);
        try
        {
            await run.ExecuteAsync();
            _count++;
            return true;
        }
        catch (Exception e)
        {
            _sinceFailure ??= Stopwatch.StartNew();
            await stop.CancelAsync();
            var story = $"{schedule}\n\nwhat came of it:\n{run.Story}\n\n{e.Message}";
            output.WriteLine($"{story}\n{e.StackTrace}\n{await cluster.DumpAsync()}\n");
            await EndClusterAsync();
            throw new SimulationException(story, e);
        }
    }

    /// <summary>Fails when the hosts did not start, which says nothing about any schedule.</summary>
    public void ThrowIfNotStarted()
    {
        if (_noCluster is not null)
            throw new InvalidOperationException($"The simulated hosts did not start, so {_count} schedules ran and none failed.", _noCluster);
    }

    public async ValueTask DisposeAsync()
    {
        output.WriteLine($"{_count} schedules in {_clock.Elapsed.TotalSeconds:0} s");
        await EndClusterAsync();
    }

    /// <summary>Starts the hosts if they do not run. FsCheck must not see a failure of that: it would call it a counterexample, print its seed, and look for a smaller one.</summary>
    async Task<SimulatedCluster?> ClusterAsync()
    {
        try
        {
            return _cluster ??= await SimulatedCluster.StartNewAsync();
        }
        catch (Exception e)
        {
            _noCluster = e;
            await stop.CancelAsync();
            return null;
        }
    }

    async Task EndClusterAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
        _cluster = null;
    }
}

/// <summary>What must hold did not; the message tells the story.</summary>
public sealed class SimulationException(string message, Exception inner) : Exception(message, inner);
