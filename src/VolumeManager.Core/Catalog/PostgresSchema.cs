using System.Runtime.CompilerServices;
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

    const string HistoryExists = "SELECT to_regclass('\"__EFMigrationsHistory\"') IS NOT NULL";
    const string History = "SELECT \"MigrationId\" FROM \"__EFMigrationsHistory\" ORDER BY 1";

    /// <summary>The context's options for a database.</summary>
    public static DbContextOptions<CatalogContext> Options(string connectionString) => new DbContextOptionsBuilder<CatalogContext>()
        .UseNpgsql(connectionString, Configure)
        .Options;

    /// <summary>Makes the schema, or brings it up to date. Any number of hosts may call it at once: one does the work, the others wait and find it done.</summary>
    /// <returns>The migrations that were applied.</returns>
    /// <exception cref="CatalogSchemaException">The schema is newer than this program; nothing was changed.</exception>
    /// <exception cref="VolumeException">Others have the tables and do not give them away; nothing was changed.</exception>
    internal static async Task<IReadOnlyList<string>> MigrateAsync(NpgsqlConnection connection, bool dryRun, CancellationToken cancellation)
    {
        // EF's own lock is on a table that is not there before the first migration.
        await using (var take = new NpgsqlCommand($"SELECT pg_advisory_lock({Lock})", connection) { CommandTimeout = 600 }) await take.ExecuteNonQueryAsync(cancellation);
        var known = SchemaVersion.Known(MigrationsAssembly);
        var applied = await AppliedAsync(connection, cancellation);
        SchemaVersion.CheckNotNewer(applied, known);
        List<string> pending = [.. known.Except(applied, StringComparer.Ordinal)];
        if (!dryRun && pending.Count > 0) await (applied.Count == 0 ? MakeAsync(connection, cancellation) : MigrateInTurnAsync(connection, cancellation));
        // The pool keeps the session, and with it the lock.
        await using (var release = new NpgsqlCommand($"SELECT pg_advisory_unlock({Lock})", connection)) await release.ExecuteNonQueryAsync(cancellation);
        return pending;
    }

    static async Task<List<string>> AppliedAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using (var find = new NpgsqlCommand(HistoryExists, connection))
        {
            if (await find.ExecuteScalarAsync(cancellation) is false) return [];
        }

        var applied = new List<string>();
        await using var command = new NpgsqlCommand(History, connection);
        await using var rows = await command.ExecuteReaderAsync(cancellation);
        while (await rows.ReadAsync(cancellation)) applied.Add(rows.GetString(0));
        return applied;
    }

    static async Task MakeAsync(NpgsqlConnection connection, CancellationToken cancellation)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        await using (var make = new NpgsqlCommand(SchemaVersion.Script(MigrationsAssembly), connection, transaction)) await make.ExecuteNonQueryAsync(cancellation);
        await transaction.CommitAsync(cancellation);
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
        await database.ReadAsync(FormattableStringFactory.Create(HistoryExists), row => isThere = row.GetBoolean(0), cancellation);
        if (isThere) await database.ReadAsync(FormattableStringFactory.Create(History), row => applied.Add(row.GetString(0)), cancellation);
        if (newerIsRefused) SchemaVersion.CheckNotNewer(applied, known);
        SchemaVersion.CheckNotOlder(applied, known, "run volman migrate with a role that owns the database");
    }
}
