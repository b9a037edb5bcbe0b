using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>What one operation cost: its time, and what the daemon and its database had of the cores meanwhile.</summary>
internal sealed record ScopeCost(LoadResult Load, TimeSpan Volman, TimeSpan Database);

/// <summary>The operations of one daemon, asked by one worker, warmed up; the same for both scopes.</summary>
/// <param name="database">The processor time of its database; zero for a scope whose database is part of the daemon.</param>
internal sealed class ScopeLoads(BenchmarkRun run, ServerProcess server, string scope, Func<TimeSpan> database)
{
    readonly List<(string Operation, ScopeCost Cost)> _costs = [];

    internal IReadOnlyList<(string Operation, ScopeCost Cost)> Costs => _costs;

    internal void MeasureAll()
    {
        run.Load("preparing", server, 1, LoadLimit.Of(Routes.Listed), _ => Routes.Creating(Routes.Held));
        run.Load("preparing", server, 1, LoadLimit.Of(Routes.Listed), _ => Routes.Holding(Routes.Held));
        run.Load("preparing", server, 1, LoadLimit.Of(1), _ => Routes.Creating(Routes.Free));
        Warmed("Get", Routes.OfListed(EngineRequest.Get(Routes.Held), 0));
        Warmed("Path", Routes.OfListed(EngineRequest.Path(Routes.Held), 0));
        MeasureList(Routes.Listed + 1);
        MeasureCreateAndRemove();
        Warmed(Routes.MountedPair, Routes.Pair(Routes.Held, 0));
        Warmed(Routes.FirstLastPair, Routes.Pair(Routes.Free, 0));
    }

    internal void MeasureList(int volumes) => Warmed($"List of {volumes:#,0} volumes", Routes.Same(EngineRequest.List()));

    void MeasureCreateAndRemove()
    {
        var limit = LoadLimit.For(run.Time(2, 0.2));
        var warm = Load("Create", limit, Routes.Creating("warm-"));
        Load("Remove", LoadLimit.Of(warm.Latencies.Count), Routes.OfNew(EngineRequest.Remove("warm-"), 0));
        var made = Measure("Create", LoadLimit.For(run.Time(4, 0.3)), Routes.Creating("new-"));
        Measure("Remove", LoadLimit.Of(made.Latencies.Count), Routes.OfNew(EngineRequest.Remove("new-"), 0));
    }

    void Warmed(string operation, Operation script)
    {
        Load(operation, LoadLimit.For(run.Time(2, 0.2)), script);
        Measure(operation, LoadLimit.For(run.Time(4, 0.3)), script);
    }

    LoadResult Measure(string operation, LoadLimit limit, Operation script)
    {
        var (volmanBefore, databaseBefore) = (ProcessorTime.Of(server.Pid), database());
        var load = Load(operation, limit, script);
        _costs.Add((operation, new ScopeCost(load, ProcessorTime.Of(server.Pid) - volmanBefore, database() - databaseBefore)));
        return load;
    }

    LoadResult Load(string operation, LoadLimit limit, Operation script) => run.Load($"scope {scope}: {operation}", server, 1, limit, _ => script);
}
