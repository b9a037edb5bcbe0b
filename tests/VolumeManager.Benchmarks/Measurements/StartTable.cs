using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>From exec to the first answers.</summary>
internal static class StartTable
{
    internal static async Task MeasureAsync(BenchmarkRun run)
    {
        var times = run.Options.Quick ? 2 : 10;
        var rows = new List<string[]>();
        if (run.Homes is not null)
        {
            rows.Add(await MeasureAsync("volman, no catalog yet", times, i => run.NewHome($"fresh-{i}").Start()));
            foreach (var size in run.Options.LargeSizes.Prepend(0))
            {
                var home = await run.Homes.WithAsync(size);
                rows.Add(await MeasureAsync($"volman, {size:#,0} volumes", times, _ => home.Start()));
            }
        }
        rows.Add(await MeasureAsync("null Kestrel", times, _ => run.NullServers.StartKestrel(NullServers.SmallBody), saysReady: false));
        run.Report.Table("Start",
            $"Milliseconds from exec, medians of {times} starts with a warm page cache (one more before them is not counted); asked again each millisecond.\n"
            + "The first Get is of a volume that exists, where there is one.",
            ["server, catalog", "first Activate", "slowest", "\"volman ready\"", "first Get", "slowest", "target"], rows);
    }

    static async Task<string[]> MeasureAsync(string title, int times, Func<int, ServerProcess> start, bool saysReady = true)
    {
        var (activates, readies, gets) = (new List<TimeSpan>(), new List<TimeSpan>(), new List<TimeSpan>());
        for (var i = 0; i <= times; i++)
        {
            await using var server = start(i);
            // Both ask at the same time, each on a thread of its own: a Get may have to wait for what Activate does not need.
            var activate = Task.Run(() => server.FirstAnswerAsync(EngineRequest.Activate()));
            var get = Task.Run(() => server.FirstAnswerAsync(EngineRequest.Get(FilledHomes.Prefix).Volume(0)));
            var ready = saysReady ? await server.ReadyAsync() : TimeSpan.Zero;
            var (answered, got) = (await activate, await get);
            if (i == 0)
                continue;
            activates.Add(answered);
            gets.Add(got);
            readies.Add(ready);
        }
        return
        [
            title, Figures.Millis(Median(activates)), Figures.Millis(activates.Max()), saysReady ? Figures.Millis(Median(readies)) : Figures.None,
            Figures.Millis(Median(gets)), Figures.Millis(gets.Max()), saysReady ? Targets.FirstActivate.Beside(Median(activates).TotalSeconds) : "",
        ];
    }

    static TimeSpan Median(List<TimeSpan> times) => times.Order().ElementAt((times.Count - 1) / 2);
}
