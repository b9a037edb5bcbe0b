using Microsoft.EntityFrameworkCore;
using Npgsql;
using Npgsql.EntityFrameworkCore.PostgreSQL.Infrastructure;

namespace VolumeManager.Catalog;

/// <summary>The shared catalog's schema: brought up to date by <c>volman migrate</c>, looked at by every daemon.</summary>
internal static class PostgresSchema
{
    public const string MigrationsAssembly = "VolumeManager.Migrations.Postgres";

    // Any number that nobody else takes ("volman" in ASCII).
    const long Lock = 0x766F6C6D616E;

    const int Turns = 20;

    /// <summary>The context's options for a database.</summary>
    public static DbContextOptions<CatalogContext> Options(string connectionString) => new DbContextOptionsBuilder<CatalogContext>()
        .UseNpgsql(connectionString, Configure)
        .Options;

    /// <summary>Brings the schema up to date. Any number of hosts may call it at once: one does the work, the others wait and find it done.</summary>
    /// <returns>The migrations that were applied.</returns>
    /// <exception cref="CatalogSchemaException">The schema is newer than this program; nothing was changed.</exception>
    /// <exception cref="VolumeException">Others have the tables and do not give them away; nothing was changed.</exception>
    internal static async Task<IReadOnlyList<string>> MigrateAsync(NpgsqlConnection connection, bool dryRun, CancellationToken cancellation)
    {
        await using var context = Context(connection);
        // EF's own lock is on a table that is not there before the first migration.
        await using (var take = new NpgsqlCommand($"SELECT pg_advisory_lock({Lock})", connection) { CommandTimeout = 600 }) await take.ExecuteNonQueryAsync(cancellation);
        SchemaVersion.CheckNotNewer([.. await context.Database.GetAppliedMigrationsAsync(cancellation)], SchemaVersion.Known(MigrationsAssembly));
        List<string> pending = [.. await context.Database.GetPendingMigrationsAsync(cancellation)];
        if (!dryRun && pending.Count > 0) await MigrateInTurnAsync(connection, cancellation);
        // The pool keeps the session, and with it the lock.
        await using (var release = new NpgsqlCommand($"SELECT pg_advisory_unlock({Lock})", connection)) await release.ExecuteNonQueryAsync(cancellation);
        return pending;
    }

    /// <summary>While daemons run, somebody may have the tables: then nothing is changed, and it is tried again.</summary>
    static async Task MigrateInTurnAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using (var bound = new NpgsqlCommand($"SET lock_timeout = {(int)Timings.Real.MigrationLockWait.TotalMilliseconds}", connection)) await bound.ExecuteNonQueryAsync(cancellation);
        for (var turn = 1; ; turn++)
        {
            try
            {
                await using var context = Context(connection);
                await context.Database.MigrateAsync(cancellation);
                return;
            }
            catch (Exception e) when (IsInUse(e))
            {
                if (turn == Turns) throw new VolumeException("the catalog's tables are in use by somebody else, so the schema was not changed: end what reads them for long, such as a backup, then run volman migrate again", e);
                await Task.Delay(Timings.Real.MigrationPause, cancellation);
            }
        }
    }

    /// <remarks>The driver tells it by itself, EF within an exception of its own.</remarks>
    static bool IsInUse(Exception e) => (e as PostgresException ?? e.InnerException as PostgresException)?.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected;

    static CatalogContext Context(NpgsqlConnection connection) => new(new DbContextOptionsBuilder<CatalogContext>().UseNpgsql(connection, Configure).Options);

    static void Configure(NpgsqlDbContextOptionsBuilder postgres) => postgres.MigrationsAssembly(MigrationsAssembly).CommandTimeout(600);

    /// <exception cref="CatalogSchemaException">The schema is older than this program, or newer and <paramref name="newerIsRefused"/>.</exception>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    /// <param name="newerIsRefused">False for a daemon that was there before: the schema grows under it in an upgrade, and only grows.</param>
    internal static async Task CheckAsync(PostgresDatabase database, bool newerIsRefused, CancellationToken cancellation)
    {
        var applied = new List<string>();
        var known = SchemaVersion.Known(MigrationsAssembly);
        var isThere = false;
        await database.ReadAsync($"SELECT to_regclass('\"__EFMigrationsHistory\"') IS NOT NULL", row => isThere = row.GetBoolean(0), cancellation);
        if (isThere) await database.ReadAsync($"SELECT \"MigrationId\" FROM \"__EFMigrationsHistory\" ORDER BY 1", row => applied.Add(row.GetString(0)), cancellation);
        if (newerIsRefused) SchemaVersion.CheckNotNewer(applied, known);
        SchemaVersion.CheckNotOlder(applied, known, "run volman migrate with a role that owns the database");
    }
}
