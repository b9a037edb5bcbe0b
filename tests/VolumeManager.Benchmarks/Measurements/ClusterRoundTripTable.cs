using VolumeManager.Benchmarks.Engine;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>How often each request asks the shared database, counted between the daemon and the server. A network multiplies this, so it is worth more than any time measured here.</summary>
internal static class ClusterRoundTripTable
{
    const int CallerA = 1;
    const int CallerB = 2;
    const string Prefix = "counted-";

    /// <summary>What a request leaves to the background is done by then, and counts with it.</summary>
    static readonly TimeSpan Settled = TimeSpan.FromMilliseconds(30);

    static readonly TimeSpan ShortLease = TimeSpan.FromSeconds(3);

    internal static async Task MeasureAsync(BenchmarkRun run, ClusterServer server)
    {
        Progress.Say("cluster: round trips");
        var home = await ClusterHome.MakeAsync(run, server, "trips", counted: true);
        var trips = new RoundTripCount(run, server, home.Database, Settled);
        await using (var volman = await home.StartAndAwaitAsync("h1", ClusterTables.LongLease, throughProxy: true, alone: true))
        {
            // A first sequence opens connections and prepares statements.
            await AskAllAsync(volman, new RoundTripCount(run, server, home.Database, Settled), 0);
            for (var i = 1; i <= (run.Options.Quick ? 3 : 20); i++)
                await AskAllAsync(volman, trips, i);
        }
        await using (var volman = await home.StartAndAwaitAsync("h2", ShortLease, throughProxy: true, alone: true))
            await trips.CountPeriodicAsync("heartbeat of a host", ShortLease);
        await home.DeleteAsync();
        run.Report.Table("Cluster: round trips of an operation",
            "Between one daemon and PostgreSQL, in an engine's order, so a Get comes before each Create, Mount, Unmount and Remove and is counted by itself. Medians;\n"
            + "what a request leaves to the background counts with it. The statements of one round trip are one transaction.",
            ["operation", "round trips", "most", "limit", "statements"],
            trips.Operations.Select(operation => Row(trips, operation)));
    }

    static string[] Row(RoundTripCount trips, string operation) =>
    [
        operation, $"{trips.Median(operation)}", $"{trips.Most(operation)}", Targets.OfRoundTrips(operation)?.Beside(trips.Median(operation)) ?? "",
        trips.Statements(operation) is { } statements ? $"{statements}" : Figures.None,
    ];

    /// <summary>A volume's whole life. Each engine's request is preceded by the Get that an engine sends.</summary>
    static async Task AskAllAsync(ServerProcess volman, RoundTripCount trips, int volume)
    {
        using var connection = new EngineConnection(volman.SocketPath);
        Task Count(string operation, EngineRequest request) => trips.CountAsync(operation, connection, request.Volume(volume));
        Task Aside(EngineRequest request) => trips.AsideAsync(connection, request.Volume(volume));
        var (get, mount, unmount) = (EngineRequest.Get(Prefix), EngineRequest.Mount(Prefix), EngineRequest.Unmount(Prefix));

        await Count("Get, of no volume", get);
        await Count("Create", EngineRequest.Create(Prefix));
        await Count("Get", get);
        await Count("Path", EngineRequest.Path(Prefix));
        await Count("Mount, the volume's first", mount.Caller(CallerA));
        await Aside(get);
        await Count("Mount, mounted for another", mount.Caller(CallerB));
        await Aside(get);
        await Count("Unmount, still mounted", unmount.Caller(CallerB));
        await Aside(get);
        await Count("Unmount, the host's last", unmount.Caller(CallerA));
        await Aside(get);
        await Count("Mount, the host's first", mount.Caller(CallerB));
        await Aside(get);
        await Aside(unmount.Caller(CallerB));
        await trips.CountAsync("List", connection, EngineRequest.List());
        await Aside(get);
        await Count("Remove", EngineRequest.Remove(Prefix));
    }
}
