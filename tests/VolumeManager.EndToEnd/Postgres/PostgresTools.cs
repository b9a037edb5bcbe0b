namespace VolumeManager.EndToEnd.Postgres;

/// <summary>Where PostgreSQL's programs are: on the PATH, or where Debian keeps them by version. Stand-in until tests/Postgres is there.</summary>
internal static class PostgresTools
{
    const string Versions = "/usr/lib/postgresql";

    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Concat(Directory.Exists(Versions) ? Directory.GetDirectories(Versions).OrderDescending(StringComparer.Ordinal).Select(version => $"{version}/bin") : [])
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
}
