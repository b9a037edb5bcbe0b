using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>Resident memory, idle and after work, with small and large catalogs.</summary>
internal static class MemoryTable
{
    const int Workers = 8;
    const int Lists = 3;

    internal static async Task MeasureAsync(BenchmarkRun run)
    {
        var requests = run.Options.Quick ? 4_000 : 20_000;
        var rows = new List<string[]>();
        foreach (var size in run.Homes is null ? [] : run.Options.LargeSizes.Prepend(0))
        {
            var home = await run.Homes!.WithAsync(size);
            await using var volman = await home.StartAndAwaitAsync();
            await MeasureAsync(run, rows, requests, $"volman, {size:#,0} volumes", volman, size);
        }
        await using (var kestrel = await run.NullServers.StartKestrelAsync(NullServers.SmallBody))
            await MeasureAsync(run, rows, requests, "null Kestrel", kestrel, null);
        await using (var c = await run.NullServers.StartCAsync(NullServers.SmallBody))
        {
            if (c is not null)
                await MeasureAsync(run, rows, requests, "null C", c, null);
        }
        run.Report.Table("Memory",
            $"MB (10^6 bytes), from smaps_rollup. Idle is {run.Time(5, 1).TotalSeconds} s after a start; the load is {requests:#,0} requests of 8 workers in an engine's order: Get, Mount, Get, Unmount.\n"
            + "PSS shares out the pages of the runtime's files among the processes that map them, and this harness is one: with volman as the only .NET process it lies between PSS and RSS.",
            ["server, catalog, state", "PSS", "RSS", "private", "target"], rows);
    }

    static async Task MeasureAsync(BenchmarkRun run, List<string[]> rows, int requests, string title, ServerProcess server, int? size)
    {
        await Task.Delay(run.Time(5, 1), run.Workspace.Cancelled);
        rows.Add(Row($"{title}, idle", server, size is { } volumes ? Targets.OfPss(volumes) : null));

        var existing = size ?? Workers;
        if (existing == 0)
            run.Load("preparing", server, 1, LoadLimit.Of(existing = Workers), _ => Routes.Creating(FilledHomes.Prefix));
        run.Load($"{title}: load", server, Workers, LoadLimit.Of(requests / 4 / Workers), worker => StartAndStop(worker, existing));
        rows.Add(Row($"{title}, after {requests:#,0} requests", server, null));

        if (size is null)
            return;
        run.Load($"{title}: List", server, 1, LoadLimit.Of(Lists), _ => Routes.Same(EngineRequest.List()));
        rows.Add(Row($"{title}, after {Lists} Lists", server, null));
    }

    /// <summary>What an engine asks when a container starts and when it ends, each time of another volume.</summary>
    static Operation StartAndStop(int worker, int existing)
    {
        var get = EngineRequest.Get(FilledHomes.Prefix);
        var mount = EngineRequest.Mount(FilledHomes.Prefix);
        var unmount = EngineRequest.Unmount(FilledHomes.Prefix);
        return (connection, i) =>
        {
            var volume = (worker + i * Workers) % existing;
            var caller = (long)worker << 32 | (uint)i;
            connection.Ask(get.Volume(volume));
            connection.Ask(mount.Volume(volume).Caller(caller));
            connection.Ask(get);
            connection.Ask(unmount.Volume(volume).Caller(caller));
        };
    }

    static string[] Row(string title, ServerProcess server, Target? target)
    {
        var memory = ProcessMemory.Of(server.Pid);
        return
        [
            title, Figures.Megabytes(memory.Pss), Figures.Megabytes(memory.Rss), Figures.Megabytes(memory.Private), target?.Beside(memory.Pss / 1e6) ?? "",
        ];
    }
}
