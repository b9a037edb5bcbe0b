using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>Volman in scope global: daemons that share one PostgreSQL. All run on this one machine, so the network of a real cluster comes on top, once for each round trip.</summary>
internal static class ClusterTables
{
    /// <summary>A lease whose first heartbeat comes after any measurement.</summary>
    internal static readonly TimeSpan LongLease = TimeSpan.FromSeconds(900);

    internal static async Task MeasureAsync(BenchmarkRun run)
    {
        if (run.Homes is null)
            return;
        await using var server = await ClusterServer.StartAsync();
        await run.KeepingFaultsAsync(() => ClusterScopeTable.MeasureAsync(run, server));
        await run.KeepingFaultsAsync(() => ClusterRoundTripTable.MeasureAsync(run, server));
        await run.KeepingFaultsAsync(() => ClusterHostsTable.MeasureAsync(run, server));
        await run.KeepingFaultsAsync(() => ClusterGrowthTable.MeasureAsync(run, server));
        await run.KeepingFaultsAsync(() => ClusterIdleTable.MeasureAsync(run, server));
    }
}
