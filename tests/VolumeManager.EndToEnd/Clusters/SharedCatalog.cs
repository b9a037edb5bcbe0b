using VolumeManager.EndToEnd.Postgres;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>The catalog that all hosts share, asked past every daemon.</summary>
internal sealed class SharedCatalog(PostgresServer server)
{
    public const string Database = "volman";

    /// <summary>How many volumes have this name; those in the trash do not count.</summary>
    public async Task<int> VolumeRowsAsync(string volume) =>
        int.Parse(await ReadAsync($"SELECT count(*) FROM volumes WHERE name = '{volume}' AND state <> 'trashed'"));

    /// <summary>How many rows say that somebody uses a volume.</summary>
    public async Task<int> MountRowsAsync() => int.Parse(await ReadAsync("SELECT count(*) FROM mounts"));

    /// <summary>The hosts whose callers use a volume, each with how often: `host1=1 host2=2`.</summary>
    public Task<string> UsersAsync(string volume) => ReadAsync($"""
        SELECT coalesce(string_agg(used.name || '=' || used.count, ' ' ORDER BY used.name), '')
        FROM (SELECT h.name, sum(m.count) AS count FROM mounts m JOIN hosts h ON h.id = m.host_id JOIN volumes v ON v.id = m.volume_id
              WHERE v.name = '{volume}' AND v.state <> 'trashed' GROUP BY h.name) AS used
        """);

    /// <summary>Hosts, mounts and the last events, for people who look into a failure.</summary>
    public async Task<string> DumpAsync() =>
        $"Hosts:\n{await TryReadAsync("SELECT * FROM hosts ORDER BY name")}\nVolumes:\n{await TryReadAsync("SELECT * FROM volumes WHERE state <> 'trashed'")}\n"
        + $"Mounts:\n{await TryReadAsync("SELECT * FROM mounts")}\nEvents:\n{await TryReadAsync("SELECT * FROM events ORDER BY id DESC LIMIT 30")}";

    async Task<string> ReadAsync(string query) => (await server.PsqlAsync(Database, query)).MustSucceed().Output;

    async Task<string> TryReadAsync(string query) => await server.PsqlAsync(Database, query) is { Succeeded: true } answer ? answer.Output : "not to be had";
}
