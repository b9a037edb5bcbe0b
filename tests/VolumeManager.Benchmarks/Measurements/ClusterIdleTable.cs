using System.Diagnostics;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>What a cluster costs while nobody asks anything: heartbeats, and whatever else the daemons do on a period.</summary>
internal static class ClusterIdleTable
{
    const int Hosts = 8;

    internal static async Task MeasureAsync(BenchmarkRun run, ClusterServer server)
    {
        var rows = new List<string[]>();
        foreach (var (hosts, lease) in run.Options.Quick ? [(2, 3)] : new[] { (1, 30), (Hosts, 30) })
        {
            Progress.Say($"cluster: {hosts} idle hosts");
            rows.Add(await MeasureAsync(run, server, hosts, TimeSpan.FromSeconds(lease)));
        }
        run.Report.Table("Cluster: idle",
            $"Per second over {run.Time(90, 6).TotalSeconds} s in which nobody asks anything. Processor time in milliseconds per second; that of PostgreSQL has what the counting takes, too.",
            ["daemons", "lease", "round trips per s", "statements per s", "transactions per s", "PostgreSQL's CPU", "CPU of one daemon"], rows);
    }

    static async Task<string[]> MeasureAsync(BenchmarkRun run, ClusterServer server, int count, TimeSpan lease)
    {
        var home = await ClusterHome.MakeAsync(run, server, $"idle-{count}", counted: true);
        var hosts = new List<ServerProcess>();
        try
        {
            while (hosts.Count < count)
                hosts.Add(await home.StartAndAwaitAsync($"h{hosts.Count + 1}", lease, throughProxy: true));
            // The passes that follow a start are not what a cluster does at rest.
            await Task.Delay(run.Time(5, 1), run.Workspace.Cancelled);
            TimeSpan Volman() => ProcessorTime.Of(hosts.Select(host => host.Pid));

            var (trips, statements, transactions) = (server.Proxy.RoundTrips, await server.StatementsAsync(home.Database), await server.TransactionsAsync(home.Database));
            var (database, volman, began) = (server.ProcessorTime, Volman(), Stopwatch.GetTimestamp());
            await Task.Delay(run.Time(90, 6), run.Workspace.Cancelled);
            var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            string PerSecond(double total) => Figures.Rounded(total / seconds);
            return
            [
                $"{count}", $"{lease.TotalSeconds} s", PerSecond(server.Proxy.RoundTrips - trips),
                await server.StatementsAsync(home.Database) - statements is { } ran ? PerSecond(ran) : Figures.None,
                PerSecond(await server.TransactionsAsync(home.Database) - transactions),
                PerSecond((server.ProcessorTime - database).TotalMilliseconds), PerSecond((Volman() - volman).TotalMilliseconds / count),
            ];
        }
        finally
        {
            foreach (var host in hosts)
                await host.DisposeAsync();
            await home.DeleteAsync();
        }
    }
}
