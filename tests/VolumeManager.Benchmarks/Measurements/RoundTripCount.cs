using System.Diagnostics;
using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>Round trips and statements of single requests, by operation.</summary>
/// <param name="settled">How long after an answer its counts are read.</param>
internal sealed class RoundTripCount(BenchmarkRun run, ClusterServer server, string database, TimeSpan settled)
{
    const int Beats = 5;

    readonly List<string> _operations = [];
    readonly Dictionary<string, List<(int RoundTrips, long? Statements)>> _counts = new(StringComparer.Ordinal);

    /// <summary>In the order of their first count.</summary>
    internal IReadOnlyList<string> Operations => _operations;

    internal int Median(string operation) => Middle(_counts[operation].Select(count => count.RoundTrips));

    /// <summary>The most of all counts: a keepalive or a new connection comes in between now and then.</summary>
    internal int Most(string operation) => _counts[operation].Max(count => count.RoundTrips);

    internal long? Statements(string operation) => _counts[operation][0].Statements is null ? null : Middle(_counts[operation].Select(count => count.Statements!.Value));

    internal async Task CountAsync(string operation, EngineConnection connection, EngineRequest request)
    {
        var before = await ReadAsync();
        await AsideAsync(connection, request);
        Add(operation, before, await ReadAsync());
    }

    /// <summary>A request that belongs to the order, and is counted elsewhere.</summary>
    internal async Task AsideAsync(EngineConnection connection, EngineRequest request)
    {
        connection.Ask(request);
        if (connection.TakeFault() is { } fault)
        {
            // Get of a volume that does not exist yet is asked on purpose.
            if (!fault.StartsWith("no such volume", StringComparison.Ordinal))
                throw new BenchmarkException($"counting round trips: {fault}");
        }
        await Task.Delay(settled, run.Workspace.Cancelled);
    }

    /// <summary>What a daemon does by itself on a period, while nobody asks it anything.</summary>
    internal async Task CountPeriodicAsync(string operation, TimeSpan patience)
    {
        for (var beat = 0; beat < Beats; beat++)
        {
            var before = await ReadAsync();
            for (var began = Stopwatch.GetTimestamp(); server.Proxy.RoundTrips == before.RoundTrips;)
            {
                if (Stopwatch.GetElapsedTime(began) > patience)
                    throw new BenchmarkException($"no {operation} within {patience.TotalSeconds} s");
                await Task.Delay(settled, run.Workspace.Cancelled);
            }
            await Task.Delay(settled, run.Workspace.Cancelled);
            Add(operation, before, await ReadAsync());
        }
    }

    async Task<(int RoundTrips, long? Statements)> ReadAsync() => (server.Proxy.RoundTrips, await server.StatementsAsync(database));

    void Add(string operation, (int RoundTrips, long? Statements) before, (int RoundTrips, long? Statements) after)
    {
        if (!_counts.TryGetValue(operation, out var counts))
        {
            _operations.Add(operation);
            _counts[operation] = counts = [];
        }
        counts.Add((after.RoundTrips - before.RoundTrips, after.Statements - before.Statements));
    }

    static T Middle<T>(IEnumerable<T> values)
    {
        var sorted = values.Order().ToList();
        return sorted[(sorted.Count - 1) / 2];
    }
}
