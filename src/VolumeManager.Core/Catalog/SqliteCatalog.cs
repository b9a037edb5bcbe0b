using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace VolumeManager.Catalog;

/// <summary>The catalog of one host: an SQLite file in the state directory, which this process alone writes.</summary>
internal static class SqliteCatalog
{
    public const string MigrationsAssembly = "VolumeManager.Migrations.Sqlite";

    /// <summary>The context's options for the file at <paramref name="path"/>.</summary>
    public static DbContextOptions<CatalogContext> Options(string path) => new DbContextOptionsBuilder<CatalogContext>()
        .UseSqlite(
            new SqliteConnectionStringBuilder { DataSource = path, ForeignKeys = true, Cache = SqliteCacheMode.Private, Pooling = false }.ToString(),
            sqlite => sqlite.MigrationsAssembly(MigrationsAssembly))
        .AddInterceptors(new SqlitePragmas())
        .Options;

    /// <summary>Brings the schema up to date. The caller holds the lock on the state directory, so nobody else migrates.</summary>
    /// <exception cref="CatalogSchemaException">The schema is newer than this program, or older and <paramref name="migrate"/> is off. Nothing was changed.</exception>
    public static async Task MigrateAsync(CatalogContext db, bool migrate)
    {
        ArgumentNullException.ThrowIfNull(db);
        // Kept in the file from then on. EF sets it only for files that it makes itself.
        await db.Database.ExecuteSqlRawAsync("PRAGMA journal_mode = WAL");
        var known = db.Database.GetMigrations().ToList();
        var applied = await AppliedAsync(db);
        if (applied.Except(known, StringComparer.Ordinal).LastOrDefault() is { } newer)
        {
            throw new CatalogSchemaException(
                $"the catalog's schema is {newer}, newer than this volman, which knows up to {known[^1]}: install the volman that wrote it, or a later one");
        }

        if (applied.Count == known.Count) return;
        if (!migrate)
        {
            throw new CatalogSchemaException(
                $"the catalog's schema is {(applied.Count == 0 ? "empty" : applied[^1])} and this volman needs {known[^1]}: start it with --migrate true");
        }

        // A daemon killed while it migrated left EF's lock row behind, and every later migration would wait for it for ever.
        if (await TableExistsAsync(db, "__EFMigrationsLock")) await db.Database.ExecuteSqlRawAsync("DELETE FROM __EFMigrationsLock");
        await db.Database.MigrateAsync();
    }

    static async Task<List<string>> AppliedAsync(CatalogContext db) => await TableExistsAsync(db, "__EFMigrationsHistory")
        ? await db.Database.SqlQueryRaw<string>("SELECT MigrationId AS Value FROM __EFMigrationsHistory ORDER BY MigrationId").ToListAsync()
        : [];

    static async Task<bool> TableExistsAsync(CatalogContext db, string table) =>
        await db.Database.SqlQuery<int>($"SELECT COUNT(*) AS Value FROM sqlite_master WHERE type = 'table' AND name = {table}").SingleAsync() == 1;
}

/// <summary>The catalog's schema and this program do not fit; the message names both versions and the cure.</summary>
internal sealed class CatalogSchemaException(string message) : Exception(message);
