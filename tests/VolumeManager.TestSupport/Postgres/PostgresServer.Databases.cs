using Npgsql;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>Statements and databases. All of it goes over connections outside of any pool, so that none stands in the way later.</summary>
partial class PostgresServer
{
    static int s_databases;

    readonly SemaphoreSlim _cloning = new(1);

    /// <param name="extra">More keywords, such as <c>Pooling=false</c>; they win over ours.</param>
    public string ConnectionString(string database, string user = "postgres", string extra = "") =>
        ConnectionString(SocketDirectory, Port, database, user, extra);

    /// <summary>For any directory with a socket in it, such as a proxy's, or a list of <see cref="Host"/>s.</summary>
    public static string ConnectionString(string host, int port, string database, string user = "postgres", string extra = "") =>
        $"Host={host};Port={port};Username={user};Database={database};GSS Encryption Mode=Disable;{extra}";

    public async Task<int> ExecuteAsync(string sql, string database = "postgres")
    {
        await using var connection = await OpenAsync(database);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteNonQueryAsync();
    }

    public async Task<T?> ScalarAsync<T>(string sql, string database = "postgres")
    {
        await using var connection = await OpenAsync(database);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync() is T value ? value : default;
    }

    /// <summary>A new database, empty or a copy of another one; sessions on that one are ended first, since PostgreSQL copies no database in use.</summary>
    /// <returns>Its name, unique in this process.</returns>
    public async Task<string> CreateDatabaseAsync(string? template = null)
    {
        var name = NewName();
        await _cloning.WaitAsync();
        try
        {
            if (template is not null) await DisconnectAllAsync(template);
            await ExecuteAsync($"CREATE DATABASE {Quoted(name)} TEMPLATE {Quoted(template ?? "template0")}");
            return name;
        }
        finally
        {
            _cloning.Release();
        }
    }

    /// <summary>Gives a database without sessions another name, so that no connection string leads to it any longer.</summary>
    /// <returns>The new name.</returns>
    public async Task<string> RenameDatabaseAsync(string name)
    {
        var renamed = NewName();
        await ExecuteAsync($"ALTER DATABASE {Quoted(name)} RENAME TO {Quoted(renamed)}");
        return renamed;
    }

    public Task DropDatabaseAsync(string name) => ExecuteAsync($"DROP DATABASE IF EXISTS {Quoted(name)} WITH (FORCE)");

    /// <summary>Ends every session on a database, as an administrator or a failover does, and waits until they are gone.</summary>
    public Task DisconnectAllAsync(string database) => ExecuteAsync(
        $"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{database.Replace("'", "''", StringComparison.Ordinal)}' AND pid <> pg_backend_pid()");

    static string NewName() => $"test_{Interlocked.Increment(ref s_databases)}";

    static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    public async Task<NpgsqlConnection> OpenAsync(string database)
    {
        var connection = new NpgsqlConnection(ConnectionString(database, extra: "Pooling=false"));
        try
        {
            await connection.OpenAsync();
            return connection;
        }
        catch (NpgsqlException e)
        {
            await connection.DisposeAsync();
            throw Failure($"{database} does not open: {e.Message}", e);
        }
    }
}
