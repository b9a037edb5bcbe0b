using System.Diagnostics;

namespace VolumeManager.EndToEnd.Simulation;

/// <summary>Runs schedules one after the other on a cluster, and on another one after a failure.</summary>
internal sealed class Lane(CancellationTokenSource stop, ITestOutputHelper output) : IAsyncDisposable
{
    // Every host reads all rows of the catalog when it joins, those of removed volumes too.
    const int SchedulesPerCluster = 60;

    // What FsCheck may spend on making a failed schedule smaller.
    static readonly TimeSpan s_shrinkTime = TimeSpan.FromMinutes(2);

    readonly Stopwatch _clock = Stopwatch.StartNew();
    SimulatedCluster? _cluster;
    Stopwatch? _sinceFailure;
    int _count;

    /// <exception cref="SimulationException">What must hold did not.</exception>
    public async Task<bool> HoldsAsync(Schedule schedule)
    {
        // A smaller schedule that nobody has the time to try is said to hold.
        if (_sinceFailure is null ? stop.IsCancellationRequested : _sinceFailure.Elapsed > s_shrinkTime)
            return true;
        if (_cluster is { Schedules: >= SchedulesPerCluster })
            await EndClusterAsync();
        _cluster ??= await SimulatedCluster.StartNewAsync();
        var run = new Run(_cluster, schedule);
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
            output.WriteLine($"{story}\n{e.StackTrace}\n{await _cluster.DumpAsync()}\n");
            await EndClusterAsync();
            throw new SimulationException(story, e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        output.WriteLine($"{_count} schedules in {_clock.Elapsed.TotalSeconds:0} s");
        await EndClusterAsync();
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
