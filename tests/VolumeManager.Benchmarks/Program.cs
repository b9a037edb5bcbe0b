using VolumeManager.Benchmarks;
using VolumeManager.Benchmarks.Measurements;
using VolumeManager.Benchmarks.Servers;

if (args is ["null-server", var socketPath, var mode, var bodyFile])
{
    await KestrelNullServer.RunAsync(socketPath, mode == "keep", bodyFile);
    return 0;
}
if (args.Any(word => word is "--help" or "-h"))
{
    Console.WriteLine(BenchmarkOptions.Usage);
    return 0;
}

try
{
    using var run = new BenchmarkRun(BenchmarkOptions.Parse(args));
    await run.DescribeAsync();
    foreach (var chosen in run.Options.Chosen)
    {
        Progress.Say(chosen);
        await run.KeepingFaultsAsync(() => chosen switch
        {
            "routes" => RouteTables.MeasureAsync(run),
            "list" => ListTable.MeasureAsync(run),
            "growth" => GrowthTable.MeasureAsync(run),
            "start" => StartTable.MeasureAsync(run),
            "cluster" => ClusterTables.MeasureAsync(run),
            "reports" => ReportTables.MeasureAsync(run),
            _ => MemoryTable.MeasureAsync(run),
        });
    }
    return run.Finish();
}
catch (OperationCanceledException)
{
    return 130;
}
catch (BenchmarkException refused)
{
    await Console.Error.WriteLineAsync($"benchmark: {refused.Message}");
    return 1;
}
