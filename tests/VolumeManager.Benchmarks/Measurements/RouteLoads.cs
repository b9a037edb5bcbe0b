using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>Every route of one server, warmed up, at 1, 8 and 64 workers. What one phase makes, the phase after it takes away again.</summary>
internal sealed class RouteLoads(BenchmarkRun run, ServerProcess server, string serverName, TimeSpan warm, TimeSpan measure)
{
    internal static readonly int[] WorkerCounts = [1, 8, Routes.MostWorkers];
    const int WarmWorkers = 8;

    readonly Dictionary<(string Route, int Workers), LoadResult> _results = [];

    internal LoadResult Of(string route, int workers) => _results[(route, workers)];

    internal IEnumerable<string> RouteNames => _results.Keys.Select(key => key.Route).Distinct(StringComparer.Ordinal);

    internal void MeasureAll()
    {
        Alone("Activate", _ => Routes.Same(EngineRequest.Activate()));
        Alone("Capabilities", _ => Routes.Same(EngineRequest.Capabilities()));
        Alone("Get", worker => Routes.OfListed(EngineRequest.Get(Routes.Held), worker));
        Alone("Path", worker => Routes.OfListed(EngineRequest.Path(Routes.Held), worker));
        Alone($"List of {Routes.Listed} volumes", _ => Routes.Same(EngineRequest.List()));
        MakeVolumes();
        Together("Create", (phase, worker) => Routes.OfNew(EngineRequest.Create(phase), worker),
            "Remove", (phase, worker) => Routes.OfNew(EngineRequest.Remove(phase), worker));
        Together("Mount, mounted for another", (_, worker) => Routes.OfCaller(EngineRequest.Mount(Routes.Held), worker),
            "Unmount, still mounted", (_, worker) => Routes.OfCaller(EngineRequest.Unmount(Routes.Held), worker));
        Alone(Routes.MountedPair, worker => Routes.Pair(Routes.Held, worker));
        Alone(Routes.FirstLastPair, worker => Routes.Pair(Routes.Free, worker));
    }

    /// <summary>Ten mounted volumes, before the first route.</summary>
    internal void MakeListed()
    {
        run.Load("preparing", server, 1, LoadLimit.Of(Routes.Listed), _ => Routes.Creating(Routes.Held));
        run.Load("preparing", server, 1, LoadLimit.Of(Routes.Listed), _ => Routes.Holding(Routes.Held));
    }

    void MakeVolumes()
    {
        run.Load("preparing", server, 1, LoadLimit.Of(Routes.MostWorkers), _ => Routes.Creating(Routes.Held));
        run.Load("preparing", server, 1, LoadLimit.Of(Routes.MostWorkers - Routes.Listed), _ =>
        {
            var hold = Routes.Holding(Routes.Held);
            return (connection, i) => hold(connection, Routes.Listed + i);
        });
        run.Load("preparing", server, 1, LoadLimit.Of(Routes.MostWorkers), _ => Routes.Creating(Routes.Free));
    }

    void Alone(string route, Func<int, Operation> script)
    {
        Load(route, WarmWorkers, LoadLimit.For(warm), script);
        foreach (var workers in WorkerCounts)
            _results[(route, workers)] = Load(route, workers, LoadLimit.For(measure), script);
    }

    /// <summary>A route and the one that undoes it: the second runs exactly as often in each worker as the first did.</summary>
    void Together(string route, Func<string, int, Operation> script, string undo, Func<string, int, Operation> undoing)
    {
        var limit = new LoadLimit(warm, Routes.NamesPerWorker);
        var warmed = Load(route, WarmWorkers, limit, worker => script("warm-", worker));
        Load(undo, WarmWorkers, LoadLimit.Of(0), worker => undoing("warm-", worker), warmed.CountPerWorker);
        foreach (var workers in WorkerCounts)
        {
            var phase = $"w{workers}-";
            var done = _results[(route, workers)] = Load(route, workers, limit with { Time = measure }, worker => script(phase, worker));
            _results[(undo, workers)] = Load(undo, workers, LoadLimit.Of(0), worker => undoing(phase, worker), done.CountPerWorker);
        }
    }

    LoadResult Load(string route, int workers, LoadLimit limit, Func<int, Operation> script, int[]? counts = null) =>
        run.Load($"{serverName}: {route}", server, workers, limit, script, counts: counts);
}
