namespace VolumeManager.Benchmarks.Reports;

/// <summary>What a figure should reach; shown beside it, never asserted.</summary>
internal sealed record Target(string Text, double Limit, bool AtLeast = false)
{
    internal string Beside(double measured)
    {
        var excess = AtLeast ? Limit / measured : measured / Limit;
        return excess <= 1 ? $"{Text}: met" : $"{Text}: missed by {excess - 1:0%}";
    }
}

/// <summary>The first targets of volman with SQLite, every acknowledgement durable. Times in seconds, memory in MB.</summary>
internal static class Targets
{
    static readonly Target OneLookup = new("≤ 150 µs", 150e-6);

    /// <summary>The target of a route's median with so many workers, each request on a new connection.</summary>
    internal static Target? OfMedian(string route, int workers) => (route, workers) switch
    {
        ("Get" or "Path", 1) => OneLookup,
        _ => null,
    };

    internal static Target? OfRate(string route, int workers) => (route, workers) switch
    {
        ("Create", 1) => new("≥ 1,000/s", 1_000, AtLeast: true),
        ("Create", 8) => new("≥ 3,000/s", 3_000, AtLeast: true),
        (Measurements.Routes.MountedPair, 1) => new("≥ 500/s", 500, AtLeast: true),
        _ => null,
    };

    internal static Target? OfList(int volumes) => volumes switch
    {
        10_000 => new("≤ 15 ms", 0.015),
        100_000 => new("≤ 150 ms", 0.150),
        _ => null,
    };

    /// <summary>How often an operation may ask a shared database.</summary>
    internal static Target? OfRoundTrips(string operation) => operation.Split(',', ' ')[0] switch
    {
        "Get" or "Path" or "heartbeat" => new("≤ 1", 1),
        "Mount" or "Unmount" => new("≤ 2", 2),
        _ => null,
    };

    internal static Target FirstActivate { get; } = new("≤ 200 ms", 0.2);

    internal static Target? OfPss(int volumes) => volumes switch
    {
        0 => new("≤ 75 MB", 75),
        10_000 => new("≤ 100 MB", 100),
        _ => null,
    };
}
