using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>The cost of one operation as the shared catalog and its history grow: it should not. And what a host takes to join, which has to hear of all.</summary>
internal static class ClusterGrowthTable
{
    const int Held = 8;

    internal static async Task MeasureAsync(BenchmarkRun run, ClusterServer server)
    {
        int[] volumes = run.Options.Quick ? [10, 10_000] : [10, 10_000, 100_000];
        int[] events = run.Options.Quick ? [0] : [0, 1_000_000];
        var rows = new List<string[]>();
        TimeSpan[]? smallest = null;
        foreach (var (size, history) in events.SelectMany(history => volumes.Select(size => (size, history))))
        {
            Progress.Say($"cluster: {size:N0} volumes, {history:N0} events");
            var home = await ClusterHome.MakeAsync(run, server, $"grown-{size}-{history}");
            await ClusterFill.FillAsync(server, home, size, history);
            var joins = await MeasureJoinsAsync(run, home);
            await using (var volman = await home.StartAndAwaitAsync("h1", ClusterTables.LongLease))
            {
                var medians = Measure(run, volman, size);
                smallest ??= medians;
                var figures = medians.Zip(smallest, (median, least) => (string[])[Figures.Micros(median), $"× {median / least:0.00}"]).SelectMany(pair => pair);
                rows.Add([$"{size:#,0} volumes, {history:#,0} events", .. figures, .. joins, Figures.Megabytes(ProcessMemory.Of(volman.Pid).Pss)]);
            }
            await home.DeleteAsync();
        }
        run.Report.Table("Cluster: growth",
            "Medians in microseconds, one daemon, one worker, names spread over the whole catalog, each beside its ratio to the smallest (target: flat). One volume of ten is mounted on\n"
            + "another host; a pair is of a volume mounted here. Joining: milliseconds from exec to the first Get's answer and to \"Joined the cluster\", of a host that is new and of one\n"
            + "that was there before (medians). PSS in MB after the load.",
            ["catalog", "Get", "×", "Create", "×", "Mount + Unmount", "×", "new host: Get", "joined", "known host: Get", "joined", "PSS"], rows);
    }

    static async Task<string[]> MeasureJoinsAsync(BenchmarkRun run, ClusterHome home)
    {
        var times = run.Options.Quick ? 1 : 3;
        var (fresh, again) = (new List<(TimeSpan Get, TimeSpan Joined)>(), new List<(TimeSpan Get, TimeSpan Joined)>());
        for (var i = 1; i <= times; i++)
        {
            fresh.Add(await JoinAsync(home, $"h{i}"));
            again.Add(await JoinAsync(home, $"h{i}"));
        }
        return [.. new[] { fresh, again }.SelectMany(joins => (string[])[Middle(joins.Select(join => join.Get)), Middle(joins.Select(join => join.Joined))])];
    }

    static async Task<(TimeSpan Get, TimeSpan Joined)> JoinAsync(ClusterHome home, string host)
    {
        await using var server = home.Start(host, ClusterTables.LongLease);
        var get = Task.Run(() => server.FirstAnswerAsync(EngineRequest.Get(FilledHomes.Prefix).Volume(Held + 1)));
        var joined = await server.ReadyAsync();
        return (await get, joined);
    }

    static string Middle(IEnumerable<TimeSpan> times)
    {
        var sorted = times.Order().ToList();
        return Figures.Millis(sorted[(sorted.Count - 1) / 2]);
    }

    static TimeSpan[] Measure(BenchmarkRun run, ServerProcess server, int size)
    {
        var what = $"cluster of {size} volumes";
        TimeSpan Warmed(Func<string, Operation> script)
        {
            run.Load(what, server, 1, LoadLimit.For(run.Time(2, 0.2)), _ => script("warm-"));
            return run.Load(what, server, 1, LoadLimit.For(run.Time(4, 0.3)), _ => script("grown-")).Latencies.Median;
        }

        // The first Mount makes each one's directory; some are mounted for good, as containers do.
        run.Load("holding", server, 1, LoadLimit.Of(Math.Min(Held, size)), _ => Routes.Holding(FilledHomes.Prefix));
        var get = EngineRequest.Get(FilledHomes.Prefix);
        return
        [
            // A prime far from any size: the names jump through the catalog and repeat late.
            Warmed(_ => (connection, i) => connection.Ask(get.Volume((int)(i * 7_919L % size)))),
            Warmed(Routes.Creating),
            Warmed(_ => Routes.Pair(FilledHomes.Prefix, 0)),
        ];
    }
}
