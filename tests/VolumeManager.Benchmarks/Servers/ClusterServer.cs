using VolumeManager.Benchmarks.Reports;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Benchmarks.Servers;

/// <summary>The PostgreSQL that the daemons of a cluster share: durable, on this machine, with a proxy before it that counts round trips. It can hold several catalogs.</summary>
internal sealed class ClusterServer : IAsyncDisposable
{
    // 16 daemons with pools of 8 connections each, and our own.
    const int MaxConnections = 300;

    readonly PostgresServer _postgres;
    bool _countsStatements;

    ClusterServer(PostgresServer postgres, PostgresProxy proxy)
    {
        _postgres = postgres;
        Proxy = proxy;
    }

    internal PostgresProxy Proxy { get; }

    internal static async Task<ClusterServer> StartAsync()
    {
        try
        {
            var postgres = await PostgresServer.StartNewAsync(new PostgresOptions { MaxConnections = MaxConnections });
            var (fileSystem, _) = Machine.FileSystemOf(postgres.SocketDirectory);
            if (fileSystem is "tmpfs" or "ramfs")
            {
                await postgres.DisposeAsync();
                throw new BenchmarkException($"PostgreSQL's folder {postgres.SocketDirectory} is on {fileSystem}, where fsync costs nothing: name a folder on a disk with TMPDIR");
            }
            var server = new ClusterServer(postgres, await PostgresProxy.StartAsync(postgres.Socket));
            await server.PrepareCountingAsync();
            return server;
        }
        catch (Exception fault) when (fault is IOException or InvalidOperationException)
        {
            throw new BenchmarkException($"no cluster is measured, for PostgreSQL does not start: {fault.Message}");
        }
    }

    /// <summary>A new database, whose statements are counted from now on if it is asked for. Counting costs a little, so what is timed goes without.</summary>
    internal async Task<string> NewDatabaseAsync(bool counted)
    {
        var name = await _postgres.CreateDatabaseAsync();
        if (counted && _countsStatements)
            await ExecuteAsync($"ALTER DATABASE {name} SET pg_stat_statements.track = 'top'");
        return name;
    }

    internal string ConnectionString(string database, bool throughProxy) =>
        throughProxy ? PostgresServer.ConnectionString(Proxy.SocketDirectory, Proxy.Port, database) : _postgres.ConnectionString(database);

    internal Task ExecuteAsync(string sql, string database = "postgres") => _postgres.ExecuteAsync(sql, database);

    internal TimeSpan ProcessorTime => Servers.ProcessorTime.Of(_postgres.ProcessIds);

    /// <returns>How many statements the database has run; null when the server cannot count them.</returns>
    internal async Task<long?> StatementsAsync(string database) => !_countsStatements ? null : await _postgres.ScalarAsync<long>(
        $"SELECT COALESCE(sum(calls), 0)::bigint FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = '{database}'");

    /// <returns>How many transactions the database has ended, as far as the backends have told: they do so once a second.</returns>
    internal Task<long> TransactionsAsync(string database) => _postgres.ScalarAsync<long>($"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '{database}'");

    /// <summary>The counter is an extension of PostgreSQL's own, which must be there when the server starts, and which some distributions package apart.</summary>
    async Task PrepareCountingAsync()
    {
        const string extension = "pg_stat_statements";
        if (await _postgres.ScalarAsync<long>($"SELECT count(*) FROM pg_available_extensions WHERE name = '{extension}'") == 0)
        {
            Progress.Say($"statements are not counted: PostgreSQL has no {extension}");
            return;
        }
        await ExecuteAsync($"ALTER SYSTEM SET shared_preload_libraries = '{extension}'");
        await _postgres.StopAsync();
        await _postgres.StartAsync();
        await ExecuteAsync($"ALTER SYSTEM SET {extension}.track = 'none'");
        await ExecuteAsync("SELECT pg_reload_conf()");
        await ExecuteAsync($"CREATE EXTENSION {extension}");
        _countsStatements = true;
    }

    public async ValueTask DisposeAsync()
    {
        await Proxy.DisposeAsync();
        await _postgres.DisposeAsync();
    }
}
