using System.Diagnostics;
using VolumeManager.TestSupport.Processes;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>PostgreSQL's own programs, wherever the distribution put them, and how they are started.</summary>
internal static class PostgresPrograms
{
    static readonly string[] s_needed = ["postgres", "initdb", "pg_basebackup"];
    static readonly Lazy<string> s_folder = new(Find);

    public static string PathOf(string program) => Path.Combine(s_folder.Value, program);

    /// <summary>Runs one to its end, as the server's user.</summary>
    public static async Task RunAsync(PostgresFolder folder, string program, params IEnumerable<string> arguments)
    {
        var command = await Command.RunAsync(StartInfo(folder, [.. PostgresUser.Become(), PathOf(program), .. arguments]), TimeSpan.FromMinutes(2));
        command.MustSucceed();
    }

    /// <summary>In a folder that the server's user may enter, and without what the caller's environment tells libpq.</summary>
    public static ProcessStartInfo StartInfo(PostgresFolder folder, IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { WorkingDirectory = folder.Root };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("PG", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        return start;
    }

    static string Find()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries);
        // Debian keeps several versions side by side and puts none of them on the PATH.
        const string debian = "/usr/lib/postgresql";
        var versions = Directory.Exists(debian) ? Directory.GetDirectories(debian) : [];
        var newestFirst = versions.OrderByDescending(folder => double.TryParse(Path.GetFileName(folder), out var version) ? version : 0);
        return path.Concat(newestFirst.Select(folder => Path.Combine(folder, "bin"))).FirstOrDefault(HoldsAll)
            ?? throw new FileNotFoundException(
                $"No folder on the PATH or {debian}/*/bin holds {string.Join(", ", s_needed)}: install the Debian package postgresql-15 (or postgresql), `apt-get install postgresql`.");
    }

    /// <summary>All that we run from one place: a machine may have links to some of them on its PATH, and another version's beside.</summary>
    static bool HoldsAll(string folder) => s_needed.All(program => File.Exists(Path.Combine(folder, program)));
}
