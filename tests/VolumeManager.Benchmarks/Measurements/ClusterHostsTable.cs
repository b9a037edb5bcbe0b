using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>More and more hosts of one cluster at work at once, each on volumes of its own: what they can do together, and what one of them weighs.</summary>
internal static class ClusterHostsTable
{
    const int VolumesEach = 8;

    static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    internal static async Task MeasureAsync(BenchmarkRun run, ClusterServer server)
    {
        var home = await ClusterHome.MakeAsync(run, server, "hosts");
        var hosts = new List<ServerProcess>();
        var rows = new List<string[]>();
        try
        {
            foreach (var count in run.Options.Quick ? [1, 4] : new[] { 1, 2, 4, 8, 16 })
            {
                Progress.Say($"cluster: {count} hosts");
                while (hosts.Count < count)
                    hosts.Add(await StartAsync(run, home, hosts.Count));
                rows.Add(await MeasureAsync(run, hosts));
            }
        }
        finally
        {
            foreach (var host in hosts)
                await host.DisposeAsync();
        }
        await home.DeleteAsync();
        run.Report.Table("Cluster: many hosts",
            "Per second, all daemons together, each asked by one worker on volumes of its own, all on this machine's two cores with PostgreSQL and the clients. Medians in microseconds.\n"
            + $"A pair is a Mount and an Unmount of a volume that another caller of the host has. PSS in MB of one daemon after the load, on average; lease {Lease.TotalSeconds} s.",
            ["daemons", "Get per s", "median", "Create per s", "median", "pairs per s", "median", "PSS of one", "RSS of one"], rows);
    }

    static async Task<ServerProcess> StartAsync(BenchmarkRun run, ClusterHome home, int number)
    {
        var host = await home.StartAndAwaitAsync($"h{number + 1}", Lease);
        run.Load("preparing", host, 1, LoadLimit.Of(VolumesEach), _ => Routes.Creating(OwnPrefix(number)));
        run.Load("preparing", host, 1, LoadLimit.Of(VolumesEach), _ => Routes.Holding(OwnPrefix(number)));
        return host;
    }

    static string OwnPrefix(int number) => $"own-{number:00}-";

    static async Task<string[]> MeasureAsync(BenchmarkRun run, List<ServerProcess> hosts)
    {
        var get = await TogetherAsync(run, hosts, number =>
        {
            var request = EngineRequest.Get(OwnPrefix(number));
            return (connection, i) => connection.Ask(request.Volume(i % VolumesEach));
        });
        // A name is created once, so the two phases of a load and all loads after it must have other ones.
        var phase = 0;
        var create = await TogetherAsync(run, hosts, number => Routes.Creating($"n{hosts.Count}-{Interlocked.Increment(ref phase)}-{number:00}-"));
        var pair = await TogetherAsync(run, hosts, number => Routes.Pair(OwnPrefix(number), 0));
        var memory = hosts.Select(host => ProcessMemory.Of(host.Pid)).ToList();
        return
        [
            $"{hosts.Count}", .. Both(get), .. Both(create), .. Both(pair),
            Figures.Megabytes((long)memory.Average(each => each.Pss)), Figures.Megabytes((long)memory.Average(each => each.Rss)),
        ];
    }

    static async Task<LoadResult[]> TogetherAsync(BenchmarkRun run, List<ServerProcess> hosts, Func<int, Operation> script)
    {
        await LoadAllAsync(run, hosts, run.Time(2, 0.3), script);
        return await LoadAllAsync(run, hosts, run.Time(4, 0.4), script);
    }

    static Task<LoadResult[]> LoadAllAsync(BenchmarkRun run, List<ServerProcess> hosts, TimeSpan time, Func<int, Operation> script) =>
        Task.WhenAll(hosts.Select((host, number) => Task.Factory.StartNew(
            () => run.Load($"{hosts.Count} hosts", host, 1, LoadLimit.For(time), _ => script(number)),
            run.Workspace.Cancelled, TaskCreationOptions.LongRunning, TaskScheduler.Default)));

    /// <summary>The sum of all, and the middle one of their medians.</summary>
    static string[] Both(LoadResult[] loads) =>
    [
        Figures.Rounded(loads.Sum(load => load.PerSecond)),
        Figures.Micros(loads.Select(load => load.Latencies.Median).Order().ElementAt((loads.Length - 1) / 2)),
    ];
}
