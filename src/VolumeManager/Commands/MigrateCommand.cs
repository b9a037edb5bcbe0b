using System.CommandLine;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Linux;

namespace VolumeManager.Commands;

/// <summary><c>volman migrate</c>: brings a catalog's schema up to date, and moves a single host's catalog into a cluster's.</summary>
internal static class MigrateCommand
{
    static readonly string[] s_settings = ["database", "database-file", "state-dir", "data-root", "host-name"];

    internal static Command Build()
    {
        var fromLocal = new Option<bool>("--from-local") { Description = "Then move the volumes, mounts and history of this host's own catalog into the database; volman serve must not run meanwhile, containers may" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Say what would be done, and change nothing" };
        var command = new Command("migrate", "Bring the catalog's schema up to date: the shared database's, or without one this host's own. Any number of hosts may call it at once.") { fromLocal, dryRun };
        var flags = SettingsBinder.AddFlags(command, s_settings);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            var (settings, _) = SettingsBinder.Bind(parsed, flags);
            await MigrateAsync(settings, parsed.GetValue(fromLocal), parsed.GetValue(dryRun), cancellation);
        }));
        return command;
    }

    static async Task MigrateAsync(Settings settings, bool fromLocal, bool dryRun, CancellationToken cancellation)
    {
        if (settings.Database.Length == 0)
        {
            if (fromLocal) throw new VolumeException("--from-local moves this host's catalog into a database: name it with --database-file");
            // An empty catalog that a dry run left behind would keep the host out of a cluster.
            if (dryRun && StateDirectory.CatalogFileIn(settings.StateDirectory) is var file && !File.Exists(file))
            {
                Tell(SchemaVersion.Known(SqliteCatalog.MigrationsAssembly), file, dryRun);
                return;
            }

            using var state = StateDirectory.Open(settings.StateDirectory);
            using var db = SqliteCatalog.Open(state.CatalogFile);
            Tell(await SqliteCatalog.MigrateAsync(db, state.CatalogFile, migrate: true, dryRun), state.CatalogFile, dryRun);
            return;
        }

        await using var database = new PostgresDatabase(settings.Database, settings.HostName);
        // First, for a daemon that still runs is no reason to change the database.
        using var local = fromLocal ? StateDirectory.Open(settings.StateDirectory) : null;
        var pending = await database.RunAsync(connection => PostgresSchema.MigrateAsync(connection, dryRun, cancellation), cancellation);
        Tell(pending, database.Name, dryRun);
        if (local is null) return;
        if (dryRun && pending.Count > 0) throw new VolumeException("the database has no schema yet, so moving this host's catalog cannot be tried: run volman migrate first");
        var promotion = new Promotion(local, settings.HostName, RootIdOf(settings, dryRun));
        var moved = await promotion.RunAsync(database, dryRun, Console.Out, cancellation);
        Console.WriteLine($"{(dryRun ? "Would move" : "Moved")} {moved}.");
    }

    static string RootIdOf(Settings settings, bool dryRun)
    {
        var dataRoot = settings.DataRoot;
        // Without an id yet it is no other host's.
        if (dryRun) return Directory.Exists(dataRoot) ? DataRootId.Read(dataRoot) : "";
        try
        {
            var root = new DirectoryRoot(dataRoot).Path;
            var id = DataRootId.Recognise(root, $"{settings.StateDirectory}/data-root");
            return DataRootId.IsThere(root, id) ? id : throw new VolumeException($"the data root {dataRoot} is not there: mount its disk");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"the directory {dataRoot} cannot be used ({e.Message}): mend it, or name another with --data-root", e);
        }
    }

    static void Tell(IReadOnlyList<string> pending, string catalog, bool dryRun) => Console.WriteLine(pending.Count == 0
        ? $"The schema of {catalog} is up to date."
        : $"{(dryRun ? "Would apply" : "Applied")} to {catalog}: {string.Join(", ", pending)}.");
}
