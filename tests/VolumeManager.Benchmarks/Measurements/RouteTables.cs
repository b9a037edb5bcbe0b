using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>Latency and throughput of every route, beside the null servers asked for the same.</summary>
internal static class RouteTables
{
    internal static async Task MeasureAsync(BenchmarkRun run)
    {
        await MeasureLimitAsync(run);
        if (run.Homes is null)
            return;
        Progress.Say("routes of the null servers");
        await using var c = await run.NullServers.StartCAsync(NullServers.SmallBody);
        await using var kestrel = await run.NullServers.StartKestrelAsync(NullServers.SmallBody);
        var ofC = c is null ? null : Measured(run, c, "null C", run.Time(0.3, 0.03), run.Time(1, 0.06));
        run.Load("warming Kestrel", kestrel, 8, LoadLimit.For(run.Time(3, 1)), _ => Routes.Same(EngineRequest.Activate()));
        var ofKestrel = Measured(run, kestrel, "null Kestrel", run.Time(0.3, 0.03), run.Time(1, 0.06));

        Progress.Say("routes of volman");
        var home = run.NewHome("routes");
        await using (var volman = await home.StartAndAwaitAsync())
        {
            var loads = new RouteLoads(run, volman, "volman", run.Time(2, 0.3), run.Time(3, 0.15));
            loads.MakeListed();
            loads.MeasureAll();
            Write(run, loads, ofKestrel, ofC);
        }
        home.Delete();
    }

    static RouteLoads Measured(BenchmarkRun run, ServerProcess server, string name, TimeSpan warm, TimeSpan measure)
    {
        var loads = new RouteLoads(run, server, name, warm, measure);
        loads.MeasureAll();
        return loads;
    }

    static void Write(BenchmarkRun run, RouteLoads volman, RouteLoads kestrel, RouteLoads? c)
    {
        var rows =
            from route in volman.RouteNames
            from workers in RouteLoads.WorkerCounts
            let measured = volman.Of(route, workers)
            let beside = kestrel.Of(route, workers)
            let limit = c?.Of(route, workers)
            select (string[])[
                $"{route}", $"{workers}", .. Spread(measured), Figures.Rounded(measured.PerSecond),
                Figures.Micros(beside.Latencies.Median), Figures.Rounded(beside.PerSecond),
                Figures.OrNone(limit, load => Figures.Micros(load.Latencies.Median)), Figures.OrNone(limit, load => Figures.Rounded(load.PerSecond)),
                Targets.OfMedian(route, workers)?.Beside(measured.Latencies.Median.TotalSeconds) ?? Targets.OfRate(route, workers)?.Beside(measured.PerSecond) ?? "",
            ];
        run.Report.Table("Routes",
            "Microseconds from connect to the last byte of the answer, a new connection for each request, every worker a thread of its own. A pair is two requests.\n"
            + "The null servers answer a constant to the same requests.",
            ["route", "workers", "median", "p95", "p99", "max", "per s", "Kestrel median", "Kestrel per s", "C median", "C per s", "target"], rows);
    }

    /// <summary>The null servers on new and on kept connections: what is left to gain at all.</summary>
    static async Task MeasureLimitAsync(BenchmarkRun run)
    {
        var rows = new List<string[]>();
        foreach (var keep in new[] { false, true })
        {
            await using (var c = await run.NullServers.StartCAsync(NullServers.SmallBody, keep))
            {
                if (c is not null)
                    AddRows(run, rows, "C", c, keep);
            }
            await using var kestrel = await run.NullServers.StartKestrelAsync(NullServers.SmallBody, keep);
            run.Load("warming Kestrel", kestrel, 8, LoadLimit.For(run.Time(3, 0.6)), _ => Routes.OfListed(EngineRequest.Get(Routes.Held), 0), keep);
            AddRows(run, rows, "Kestrel", kestrel, keep);
        }
        run.Report.Table("The limit of the machine",
            "Null servers that answer a constant to Get. Microseconds; the C server's row is the floor that the client and the kernel leave to anybody.\n"
            + "One worker sees two speeds: the kernel wakes the server on the client's own core (about the p5) or on another one that was idle (tens of microseconds more).\n"
            + "volman itself answers `Connection: close`, so the kept connections are there for comparison only.",
            ["null server, connection", "workers", "p5", "median", "p95", "p99", "max", "per s"], rows);
    }

    static void AddRows(BenchmarkRun run, List<string[]> rows, string name, ServerProcess server, bool keep)
    {
        var title = $"{name}, {(keep ? "kept" : "new each")}";
        foreach (var workers in RouteLoads.WorkerCounts)
        {
            Operation Script(int worker) => Routes.OfListed(EngineRequest.Get(Routes.Held), worker);
            run.Load(title, server, workers, LoadLimit.For(run.Time(0.5, 0.05)), Script, keep);
            var load = run.Load(title, server, workers, LoadLimit.For(run.Time(3, 0.15)), Script, keep);
            rows.Add([title, $"{workers}", Figures.Micros(load.Latencies.At(0.05)), .. Spread(load), Figures.Rounded(load.PerSecond)]);
        }
    }

    static string[] Spread(LoadResult load) =>
        [Figures.Micros(load.Latencies.Median), Figures.Micros(load.Latencies.At(0.95)), Figures.Micros(load.Latencies.At(0.99)), Figures.Micros(load.Latencies.Max)];
}
