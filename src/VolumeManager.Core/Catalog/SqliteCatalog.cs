using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace VolumeManager.Catalog;

/// <summary>The catalog of one host: an SQLite file in the state directory, which this process alone writes.</summary>
internal static class SqliteCatalog
{
    public const string MigrationsAssembly = "VolumeManager.Migrations.Sqlite";

    /// <summary>The context's options for the file at <paramref name="path"/>.</summary>
    public static DbContextOptions<CatalogContext> Options(string path) => new DbContextOptionsBuilder<CatalogContext>()
        .UseSqlite(ConnectionString(path, Timings.Real.SqliteBusy), sqlite => sqlite.MigrationsAssembly(MigrationsAssembly))
        .AddInterceptors(new SqlitePragmas(Timings.Real.SqliteBusy))
        .Options;

    /// <summary>Opens a connection to the file at <paramref name="path"/>, which is made when it is missing.</summary>
    internal static CatalogConnection Open(string path, Timings? timings = null)
    {
        var busy = (timings ?? Timings.Real).SqliteBusy;
        var connection = new SqliteConnection(ConnectionString(path, busy));
        try
        {
            connection.Open();
            SqlitePragmas.Apply(connection, busy);
            return new CatalogConnection(connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Opens a connection that can only read. With its journal beside it the file is read and written at the same time.</summary>
    internal static DbConnection OpenForReports(string path)
    {
        var connection = new SqliteConnection(ConnectionString(path, Timings.Real.SqliteBusy) + ";Mode=ReadOnly");
        try
        {
            connection.Open();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Makes the schema, or brings it up to date. The caller holds the lock on the state directory, so nobody else migrates.</summary>
    /// <returns>The migrations that were applied, or would be.</returns>
    /// <exception cref="CatalogSchemaException">The schema is newer than this program, or older and <paramref name="migrate"/> is off. Nothing was changed.</exception>
    internal static async Task<IReadOnlyList<string>> MigrateAsync(CatalogConnection db, string path, bool migrate, bool dryRun = false)
    {
        // Kept in the file from then on. EF sets it only for files that it makes itself.
        await db.ExecuteAsync($"PRAGMA journal_mode = WAL");
        var known = SchemaVersion.Known(MigrationsAssembly);
        var applied = await AppliedAsync(db);
        SchemaVersion.CheckNotNewer(applied, known);
        List<string> pending = [.. known.Except(applied, StringComparer.Ordinal)];
        if (pending.Count == 0 || dryRun) return pending;
        if (!migrate) SchemaVersion.CheckNotOlder(applied, known, "start it with --migrate true");
        if (applied.Count == 0)
        {
            await db.InTransactionAsync(empty => empty.RunScriptAsync(SchemaVersion.Script(MigrationsAssembly)));
            return pending;
        }

        // A daemon killed while it migrated left EF's lock row behind, and every later migration would wait for it for ever.
        if (await TableExistsAsync(db, "__EFMigrationsLock")) await db.ExecuteAsync($"DELETE FROM __EFMigrationsLock");
        await using var context = new CatalogContext(Options(path));
        await context.Database.MigrateAsync();
        return pending;
    }

    static async Task<List<string>> AppliedAsync(CatalogConnection db)
    {
        var applied = new List<string>();
        if (!await TableExistsAsync(db, "__EFMigrationsHistory")) return applied;
        await db.ReadAsync($"SELECT MigrationId FROM __EFMigrationsHistory ORDER BY MigrationId", row => applied.Add(row.GetString(0)));
        return applied;
    }

    static Task<bool> TableExistsAsync(CatalogConnection db, string table) =>
        db.AnyAsync($"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = {table}");

    // The driver repeats what SQLite refuses as busy, for its own timeout.
    static string ConnectionString(string path, TimeSpan busy) =>
        new SqliteConnectionStringBuilder { DataSource = path, ForeignKeys = true, Cache = SqliteCacheMode.Private, Pooling = false, DefaultTimeout = (int)(busy * 2).TotalSeconds }.ToString();
}
