namespace VolumeManager.EndToEnd.Daemons;

/// <summary>What a daemon is told beside the paths on its machine's disk.</summary>
/// <param name="DataRoot">A folder that several hosts share; null for one on the machine's own disk.</param>
/// <param name="Database">How it reaches the PostgreSQL that several hosts share; null for an SQLite file of its own.</param>
/// <param name="Earlier">The program of an earlier release, which it begins as; null for the one under test.</param>
internal sealed record DaemonSettings(string HostName = DaemonSettings.LonelyHost, string? DataRoot = null, string? Database = null, string? Earlier = null)
{
    public const string LonelyHost = "e2e-host";

    /// <summary>How long a host that says nothing still counts as alive.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(5);

    /// <summary>How long after that another host waits before it takes over.</summary>
    public static readonly TimeSpan TakeoverGrace = TimeSpan.FromSeconds(5);

    public IReadOnlyList<string> SharedCatalog => Database is null
        ? []
        : ["--database", Database, "--lease", $"{Lease.TotalSeconds}s", "--takeover-grace", $"{TakeoverGrace.TotalSeconds}s"];
}
