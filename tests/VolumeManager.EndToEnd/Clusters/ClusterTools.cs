using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Postgres;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>What a cluster needs beside the engines. The kernel has to know bridges and veth too.</summary>
internal static class ClusterTools
{
    static readonly string[] s_host = ["ip", "psql", "setpriv"];
    static readonly string[] s_postgres = ["initdb", "postgres"];

    /// <summary>Null when the tests can run.</summary>
    public static string? WhyNot(EngineKind kind)
    {
        if (EngineRoot.WhyNot(kind) is { } reason)
            return reason;
        string[] missing = [.. s_host.Where(name => EngineRoot.Find("/", name) is null), .. s_postgres.Where(name => PostgresTools.Find(name) is null)];
        return missing.Length == 0 ? null : $"Missing here: {string.Join(", ", missing)}.";
    }
}
