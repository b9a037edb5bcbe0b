using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>The cost of one operation as the catalog grows: it should not.</summary>
internal static class GrowthTable
{
    const string Grown = "grown-";
    const int Held = 8;

    internal static async Task MeasureAsync(BenchmarkRun run)
    {
        var rows = new List<string[]>();
        var medians = new List<double[]>();
        foreach (var size in run.Homes is null ? [] : run.Options.Sizes)
        {
            var home = await run.Homes!.WithAsync(size);
            await using var volman = await home.StartAndAwaitAsync();
            Hold(run, volman, size);
            rows.Add(Row($"volman, {size:#,0} volumes", Measure(run, volman, size, medians)));
        }
        if (medians.Count > 1)
        {
            var factors = medians[^1].Zip(medians[0], (last, first) => $"× {last / first:0.00}").ToArray();
            rows.Add(Row("largest over smallest (target: flat)", [factors[0], factors[1], factors[2], "", factors[3]]));
        }
        await using (var kestrel = await run.NullServers.StartKestrelAsync(NullServers.SmallBody))
            rows.Add(Row("null Kestrel", Measure(run, kestrel, 10, [])));
        await using (var c = await run.NullServers.StartCAsync(NullServers.SmallBody))
        {
            if (c is not null)
                rows.Add(Row("null C", Measure(run, c, 10, [])));
        }
        run.Report.Table("Growth",
            "Medians in microseconds, one worker, a new connection for each request, names spread over the whole catalog. A pair is two requests, of a mounted volume.",
            ["server, catalog", "Get", "Path", "Create", "Create per s", "Mount + Unmount"], rows);
    }

    static string[] Row(string title, string[] figures) => [title, .. figures];

    /// <summary>Mounts a few volumes for good, as containers do.</summary>
    static void Hold(BenchmarkRun run, ServerProcess volman, int size) =>
        run.Load("holding", volman, 1, LoadLimit.Of(Math.Min(Held, size)), _ => Routes.Holding(FilledHomes.Prefix));

    static string[] Measure(BenchmarkRun run, ServerProcess server, int size, List<double[]> medians)
    {
        // A prime far from any size: the names jump through the catalog and repeat late.
        Operation Spread(EngineRequest request) => (connection, i) => connection.Ask(request.Volume((int)(i * 7_919L % size)));
        var what = $"growth at {size} volumes";
        var (warm, measure) = (run.Time(2, 0.3), run.Time(3, 0.2));
        LoadResult Warmed(Func<Operation> script)
        {
            run.Load(what, server, 1, LoadLimit.For(warm), _ => script());
            return run.Load(what, server, 1, LoadLimit.For(measure), _ => script());
        }

        var get = Warmed(() => Spread(EngineRequest.Get(FilledHomes.Prefix)));
        var path = Warmed(() => Spread(EngineRequest.Path(FilledHomes.Prefix)));
        var pair = Warmed(() => Routes.Pair(FilledHomes.Prefix, 0));
        var warmed = run.Load(what, server, 1, LoadLimit.For(warm), _ => Routes.Creating(Grown + "warm-"));
        var create = run.Load(what, server, 1, LoadLimit.For(measure), _ => Routes.Creating(Grown));
        Remove(run, server, Grown + "warm-", warmed.Latencies.Count);
        Remove(run, server, Grown, create.Latencies.Count);

        var loads = new[] { get, path, create, pair };
        medians.Add([.. loads.Select(load => load.Latencies.Median.TotalMicroseconds)]);
        var figures = loads.Select(load => Figures.Micros(load.Latencies.Median)).ToArray();
        return [figures[0], figures[1], figures[2], Figures.Rounded(create.PerSecond), figures[3]];
    }

    static void Remove(BenchmarkRun run, ServerProcess server, string prefix, int count)
    {
        var remove = EngineRequest.Remove(prefix);
        run.Load("removing what growth made", server, 1, LoadLimit.Of(count), _ => (connection, i) => connection.Ask(remove.Volume(i)));
    }
}
