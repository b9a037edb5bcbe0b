using System.Collections.Concurrent;
using Npgsql;
using Respawn;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>
/// Databases that tests take and return, all like one template. A returned database is emptied and used again; one whose schema a test has changed is dropped.
/// As many exist as are in use at once.
/// </summary>
internal sealed class DatabasePool
{
    const string Migrations = "__EFMigrationsHistory";

    /// <summary>Everything that a reset does not restore: tables, columns, indexes, constraints, triggers, functions, privileges, settings and migrations.</summary>
    public const string Schema = $"""
        SELECT string_agg(line, chr(10) ORDER BY line) FROM (
            SELECT concat_ws(' ', relname, relkind, relacl, reloptions) FROM pg_class WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT concat_ws(' ', relname, attname, format_type(atttypid, atttypmod), attnotnull, attacl)
                FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT concat_ws(' ', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT concat_ws(' ', tgenabled, pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT concat_ws(' ', proname, proacl, prosrc) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL SELECT concat_ws(' ', nspname, nspacl) FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%'
            UNION ALL SELECT defaclacl::text FROM pg_default_acl
            UNION ALL SELECT concat_ws(' ', setrole, setconfig) FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()
            UNION ALL SELECT "MigrationId" FROM "{Migrations}") AS lines (line)
        """;

    readonly PostgresServer _server;
    readonly string _template;
    readonly string _schema;
    readonly string _seed;
    readonly Respawner _respawner;
    readonly ConcurrentBag<string> _empty = [];

    DatabasePool(PostgresServer server, string template, string schema, string seed, Respawner respawner) =>
        (_server, _template, _schema, _seed, _respawner) = (server, template, schema, seed, respawner);

    /// <param name="template">Has the schema, and in one table the rows that every database begins with.</param>
    /// <param name="seeded">The name of that table.</param>
    public static async Task<DatabasePool> OpenAsync(PostgresServer server, string template, string seeded)
    {
        var rows = await server.ScalarAsync<string>($"SELECT json_agg(r)::text FROM {seeded} r", template);
        var seed = $"INSERT INTO {seeded} SELECT * FROM json_populate_recordset(NULL::{seeded}, '{rows!.Replace("'", "''", StringComparison.Ordinal)}')";
        await using var connection = await server.OpenAsync(template);
        var respawner = await Respawner.CreateAsync(connection, new RespawnerOptions { DbAdapter = DbAdapter.Postgres, TablesToIgnore = [Migrations], WithReseed = true });
        return new DatabasePool(server, template, (await server.ScalarAsync<string>(Schema, template))!, seed, respawner);
    }

    /// <returns>The name of a database like the template; nobody else uses it until it is returned.</returns>
    public async Task<string> TakeAsync() => _empty.TryTake(out var name) ? name : await _server.CreateDatabaseAsync(_template);

    /// <summary>Takes a database back whose hosts have stopped.</summary>
    public async Task ReturnAsync(string name)
    {
        // Under its name a daemon that still runs, or a client's pool of connections, would come back in the midst of the next test.
        await _server.DisconnectAllAsync(name);
        try
        {
            name = await _server.RenameDatabaseAsync(name);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse)
        {
            await _server.DropDatabaseAsync(name);
            return;
        }

        if (await _server.ScalarAsync<string>(Schema, name) != _schema)
        {
            await _server.DropDatabaseAsync(name);
            return;
        }

        await using (var connection = await _server.OpenAsync(name)) await _respawner.ResetAsync(connection);
        await _server.ExecuteAsync(_seed, name);
        _empty.Add(name);
    }
}
