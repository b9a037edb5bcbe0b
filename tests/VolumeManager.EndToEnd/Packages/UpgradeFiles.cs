using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>What a host that is upgraded has on its disk, read past its daemon, and the commands that ask that.</summary>
internal sealed class UpgradeFiles(Host host)
{
    string State => host.Folder["state"];
    string CatalogFile => Path.Combine(State, "catalog.db");

    /// <summary>The newest migration of the catalog of a single host.</summary>
    public Task<string> SchemaAsync() => ReadAsync("SELECT max(MigrationId) FROM __EFMigrationsHistory");

    /// <summary>Its history, one event a line, with the columns that the earlier release had.</summary>
    public Task<string> EventsAsync() => ReadAsync("SELECT id, operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail FROM events ORDER BY id");

    /// <summary>All that the catalog holds, and every file of the daemon with its contents; the catalog's own files as SQLite reads them, and of the lock not who had it last.</summary>
    public async Task<string> StateAsync() => $"""
        {await ReadAsync(".dump")}
        {(await Command.RunAsync(Poll.Patience, "find", State, host.Daemon.DataRoot, "-printf", "%P %y %m %U %G\n")).MustSucceed().Output}
        {(await Command.RunAsync(Poll.Patience, "find", State, "-type", "f", "!", "-name", "*.db*", "!", "-name", "lock", "-exec", "sha256sum", "{}", "+")).MustSucceed().Output}
        """;

    /// <summary>A command that asks the daemon, as an operator types it on this host.</summary>
    public async Task<string> VolmanAsync(string words) => (await ReleaseTools.VolmanAsync(DaemonBinary.Path, [.. words.Split(' '), "--admin-socket", host.Daemon.AdminSocket])).MustSucceed().Output;

    async Task<string> ReadAsync(string query) => (await Command.RunAsync(Poll.Patience, "sqlite3", "-cmd", ".timeout 5000", CatalogFile, query)).MustSucceed().Output;
}
