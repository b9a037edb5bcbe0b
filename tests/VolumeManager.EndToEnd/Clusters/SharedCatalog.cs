using Npgsql;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>The catalog that all hosts share, asked past every daemon.</summary>
internal sealed class SharedCatalog : IAsyncDisposable
{
    readonly string _database;

    SharedCatalog(PostgresServer server, string database) => (Server, _database) = (server, database);

    public PostgresServer Server { get; }

    /// <param name="earlier">The program of an earlier release, whose schema it shall have.</param>
    public static async Task<SharedCatalog> StartAsync(string? earlier = null)
    {
        var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast);
        try
        {
            var catalog = new SharedCatalog(server, await server.CreateDatabaseAsync());
            (await catalog.TryVolmanAsync("migrate", earlier)).MustSucceed();
            return catalog;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>What a host's daemon is told, which is to reach the database its own way.</summary>
    public string ConnectionString(PostgresProxy proxy) => PostgresServer.ConnectionString(proxy.SocketDirectory, proxy.Port, _database);

    /// <summary>A command of volman's that asks this catalog; gives what it printed. An operator types it on any machine, here on none of the cluster.</summary>
    public async Task<string> VolmanAsync(string words) => (await TryVolmanAsync(words)).MustSucceed().Output;

    public Task<Command> TryVolmanAsync(string words, string? program = null) => Command.RunAsync(Poll.Patience, "env",
        [$"DOTNET_ROOT={DaemonBinary.DotnetRoot}", program ?? DaemonBinary.Path, .. words.Split(' '), "--database", Server.ConnectionString(_database)]);

    /// <summary>What `volman host ls` says of a host: its state and how many mounts it holds, `lost 2`.</summary>
    public async Task<string> HostAsync(string name)
    {
        var row = (await VolmanAsync("host ls")).Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Single(cells => cells[0] == name);
        return $"{row[1]} {row[2]}";
    }

    /// <summary>How often something happened to a volume, as the history tells it.</summary>
    public Task<int> EventsAsync(string volume, string kind) => CountAsync($"SELECT count(*) FROM events WHERE volume_name = '{volume}' AND kind = '{kind}'");

    /// <summary>How many volumes have this name; those that are removed do not count.</summary>
    public Task<int> VolumeRowsAsync(string volume) => CountAsync($"SELECT count(*) FROM volumes WHERE name = '{volume}' AND state IN ('ready', 'removing')");

    /// <summary>How many rows say that somebody uses a volume.</summary>
    public Task<int> MountRowsAsync() => CountAsync("SELECT count(*) FROM mounts");

    /// <summary>The hosts whose callers use a volume, each with how often: `host1=1 host2=2`.</summary>
    public async Task<string> UsersAsync(string volume) => await ReadAsync($"""
        SELECT string_agg(used.name || '=' || used.count, ' ' ORDER BY used.name)
        FROM (SELECT h.name, sum(m.count) AS count FROM mounts m JOIN hosts h ON h.id = m.host_id JOIN volumes v ON v.id = m.volume_id
              WHERE v.name = '{volume}' AND v.state IN ('ready', 'removing') GROUP BY h.name) AS used
        """) ?? "";

    /// <summary>Hosts, mounts and the last events, for people who look into a failure.</summary>
    public async Task<string> DumpAsync() =>
        $"Hosts:\n{await LinesAsync("SELECT * FROM hosts ORDER BY name")}\nVolumes:\n{await LinesAsync("SELECT * FROM volumes WHERE state IN ('ready', 'removing')")}\n"
        + $"Mounts:\n{await LinesAsync("SELECT * FROM mounts")}\nEvents:\n{await LinesAsync("SELECT * FROM events ORDER BY id DESC LIMIT 30")}";

    /// <summary>A session of somebody who is no host.</summary>
    public async Task<NpgsqlConnection> OpenAsync()
    {
        var connection = new NpgsqlConnection(Server.ConnectionString(_database) + ";Pooling=false");
        await connection.OpenAsync();
        return connection;
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    async Task<int> CountAsync(string query) => (int)await Server.ScalarAsync<long>(query, _database);

    /// <summary>The first value of the first row.</summary>
    public Task<string?> ReadAsync(string query) => Server.ScalarAsync<string>(query, _database);

    async Task<string?> LinesAsync(string query) => await ReadAsync($"SELECT string_agg(line::text, chr(10)) FROM ({query}) AS line");
}
