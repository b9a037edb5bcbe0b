using VolumeManager.EndToEnd.Engines;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>What a cluster needs beside the engines. The kernel has to know bridges and veth too.</summary>
internal static class ClusterTools
{
    static readonly string[] s_host = ["ip", "setpriv", "setsid"];

    /// <summary>Null when the tests can run.</summary>
    public static string? WhyNot(EngineKind kind)
    {
        if (EngineRoot.WhyNot(kind) is { } reason)
            return reason;
        string[] missing = [.. s_host.Where(name => EngineRoot.Find("/", name) is null)];
        return missing.Length == 0 ? WhyNoPostgres() : $"Missing here: {string.Join(", ", missing)}.";
    }

    /// <summary>Null when PostgreSQL's programs are here.</summary>
    public static string? WhyNoPostgres()
    {
        try
        {
            _ = PostgresPrograms.PathOf("postgres");
            return null;
        }
        catch (FileNotFoundException e)
        {
            return e.Message;
        }
    }
}
