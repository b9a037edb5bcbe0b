using System.Text;
using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>List of catalogs from 10 to 100,000 volumes, beside null servers that answer the very same bytes.</summary>
internal static class ListTable
{
    internal static async Task MeasureAsync(BenchmarkRun run)
    {
        var rows = new List<string[]>();
        foreach (var size in run.Options.Sizes)
            rows.Add(await MeasureAsync(run, size));
        run.Report.Table("List",
            "Milliseconds from connect to the last byte, one worker. The null servers answer the same bytes from memory, so they show what the socket alone takes.",
            ["volumes", "bytes", "median", "p95", "max", "lists", "Kestrel median", "C median", "target"], rows);
    }

    static async Task<string[]> MeasureAsync(BenchmarkRun run, int size)
    {
        LoadResult? volman = null;
        var body = SampleBody(size);
        if (run.Homes is not null)
        {
            await using var server = await (await run.Homes.WithAsync(size)).StartAndAwaitAsync();
            volman = Measure(run, server, $"volman: List of {size}");
            run.Load("reading a List", server, 1, LoadLimit.Of(1), _ => (connection, _) =>
            {
                connection.Ask(EngineRequest.List());
                body = connection.CopyOfBody();
            });
            ThrowUnlessComplete(body, size);
        }
        await using var kestrelServer = await run.NullServers.StartKestrelAsync(body);
        var kestrel = Measure(run, kestrelServer, "null Kestrel: List");
        await using var cServer = await run.NullServers.StartCAsync(body);
        var c = cServer is null ? null : Measure(run, cServer, "null C: List");
        return
        [
            $"{size:#,0}", $"{body.Length:#,0}", Figures.OrNone(volman, MedianOf), Figures.OrNone(volman, load => Figures.Millis(load.Latencies.At(0.95))),
            Figures.OrNone(volman, load => Figures.Millis(load.Latencies.Max)), Figures.OrNone(volman, load => $"{load.Latencies.Count:#,0}"),
            MedianOf(kestrel), Figures.OrNone(c, MedianOf),
            volman is null ? "" : Targets.OfList(size)?.Beside(volman.Latencies.Median.TotalSeconds) ?? "",
        ];
    }

    static LoadResult Measure(BenchmarkRun run, ServerProcess server, string what)
    {
        run.Load(what, server, 1, LoadLimit.For(run.Time(2, 0.3)), _ => Routes.Same(EngineRequest.List()));
        return run.Load(what, server, 1, LoadLimit.For(run.Time(5, 0.3)), _ => Routes.Same(EngineRequest.List()));
    }

    static string MedianOf(LoadResult load) => Figures.Millis(load.Latencies.Median);

    /// <summary>What a volman might answer, for a run without one.</summary>
    static byte[] SampleBody(int size) =>
        Encoding.ASCII.GetBytes($$"""{"Volumes":[{{string.Join(',', Enumerable.Range(0, size).Select(i => $$"""{"Name":"{{FilledHomes.Prefix}}{{i:d8}}","Mountpoint":""}"""))}}],"Err":""}""");

    static void ThrowUnlessComplete(byte[] body, int size)
    {
        var listed = body.AsSpan().Count("\"Name\":"u8);
        if (listed < size)
            throw new BenchmarkException($"List of a catalog with {size} volumes has {listed}");
    }
}
