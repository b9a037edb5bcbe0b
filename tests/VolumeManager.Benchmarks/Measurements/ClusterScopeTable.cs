using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>Each operation of a single daemon with a PostgreSQL on the same machine, beside the same with the host's own catalog.</summary>
internal static class ClusterScopeTable
{
    internal static async Task MeasureAsync(BenchmarkRun run, ClusterServer server)
    {
        Progress.Say("cluster: operations in scope local");
        var local = await MeasureLocalAsync(run);
        Progress.Say("cluster: operations in scope global");
        var global = await MeasureGlobalAsync(run, server);
        run.Report.Table("Cluster: cost of an operation",
            "Microseconds, one daemon, one worker, a new connection for each request; PostgreSQL on the same machine, over a unix socket, durable. A pair is two requests.\n"
            + "The last three columns are what volman and PostgreSQL had of the two cores for one operation; the client has some of them too.",
            ["operation", "local median", "local p99", "global median", "global p99", "global over local", "local: volman's CPU", "global: volman's CPU", "PostgreSQL's CPU"],
            local.Zip(global, Row));
    }

    static string[] Row((string Operation, ScopeCost Cost) local, (string Operation, ScopeCost Cost) global)
    {
        var (beside, measured) = (local.Cost.Load.Latencies, global.Cost.Load.Latencies);
        return
        [
            global.Operation, Figures.Micros(beside.Median), Figures.Micros(beside.At(0.99)), Figures.Micros(measured.Median), Figures.Micros(measured.At(0.99)),
            $"× {measured.Median / beside.Median:0.0}", Each(local.Cost, local.Cost.Volman), Each(global.Cost, global.Cost.Volman), Each(global.Cost, global.Cost.Database),
        ];
    }

    static string Each(ScopeCost cost, TimeSpan spent) => Figures.Micros(spent / Math.Max(1, cost.Load.Latencies.Count));

    static async Task<List<(string, ScopeCost)>> MeasureLocalAsync(BenchmarkRun run)
    {
        var costs = new List<(string, ScopeCost)>();
        var home = run.NewHome("scope-local");
        await using (var volman = await home.StartAndAwaitAsync())
            costs.AddRange(Measured(new ScopeLoads(run, volman, "local", () => TimeSpan.Zero), loads => loads.MeasureAll()));
        home.Delete();
        foreach (var size in run.Options.LargeSizes)
        {
            await using var volman = await (await run.Homes!.WithAsync(size)).StartAndAwaitAsync();
            costs.AddRange(Measured(new ScopeLoads(run, volman, "local", () => TimeSpan.Zero), loads => loads.MeasureList(size)));
        }
        return costs;
    }

    static async Task<List<(string, ScopeCost)>> MeasureGlobalAsync(BenchmarkRun run, ClusterServer server)
    {
        var costs = new List<(string, ScopeCost)>();
        var home = await ClusterHome.MakeAsync(run, server, "scope-global");
        await using (var volman = await home.StartAndAwaitAsync("h1", ClusterTables.LongLease))
            costs.AddRange(Measured(new ScopeLoads(run, volman, "global", () => server.ProcessorTime), loads => loads.MeasureAll()));
        await home.DeleteAsync();
        foreach (var size in run.Options.LargeSizes)
        {
            home = await ClusterHome.MakeAsync(run, server, $"scope-{size}");
            await ClusterFill.FillAsync(server, home, size, events: 0);
            await using (var volman = await home.StartAndAwaitAsync("h1", ClusterTables.LongLease))
                costs.AddRange(Measured(new ScopeLoads(run, volman, "global", () => server.ProcessorTime), loads => loads.MeasureList(size)));
            await home.DeleteAsync();
        }
        return costs;
    }

    static IReadOnlyList<(string, ScopeCost)> Measured(ScopeLoads loads, Action<ScopeLoads> measure)
    {
        measure(loads);
        return loads.Costs;
    }
}
