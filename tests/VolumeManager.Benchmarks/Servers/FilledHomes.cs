using System.Diagnostics;
using VolumeManager.Benchmarks.Engine;

namespace VolumeManager.Benchmarks.Servers;

/// <summary>Homes with a given number of volumes, each filled once through Create and shared by the measurements that need it.</summary>
internal sealed class FilledHomes(Workspace workspace, string executable)
{
    /// <summary>Volume 0 is <c>vol-00000000</c>.</summary>
    internal const string Prefix = "vol-";
    // As many as it takes for a writer that commits together what waits together.
    const int Workers = 64;

    readonly Dictionary<int, VolmanHome> _homes = [];

    internal async Task<VolmanHome> WithAsync(int volumes)
    {
        if (_homes.TryGetValue(volumes, out var home))
            return home;
        home = new VolmanHome(workspace, executable, $"home-{volumes}");
        await using (var server = await home.StartAndAwaitAsync())
            Fill(server, volumes);
        return _homes[volumes] = home;
    }

    void Fill(ServerProcess server, int volumes)
    {
        var began = Stopwatch.GetTimestamp();
        // In slices, so that a long fill is seen to move.
        const int slice = 10_000;
        for (var done = 0; done < volumes; done += slice)
        {
            var (from, to) = (done, Math.Min(volumes, done + slice));
            var counts = Enumerable.Range(0, Workers).Select(worker => (to - from - worker + Workers - 1) / Workers).ToArray();
            var load = Load.Run(server.SocketPath, Workers, LoadLimit.Of(slice), worker =>
            {
                var create = EngineRequest.Create(Prefix);
                return (connection, i) => connection.Ask(create.Volume(from + worker + i * Workers));
            }, counts: counts, cancel: workspace.Cancelled);
            if (load.FirstFault is not null)
            {
                server.ThrowIfGoing();
                throw new BenchmarkException($"filling a catalog with {volumes} volumes: {load.Faults} Creates failed, the first with: {load.FirstFault}");
            }
            if (volumes >= slice)
                Progress.Say($"filled {to:N0} of {volumes:N0} volumes, {load.PerSecond:N0}/s now, {to / Stopwatch.GetElapsedTime(began).TotalSeconds:N0}/s in all");
        }
    }
}
