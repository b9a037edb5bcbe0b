namespace VolumeManager.EndToEnd.Daemons;

/// <summary>The daemon's SQLite file, read from outside by the sqlite3 program while the daemon uses it.</summary>
internal sealed class Catalog(string path)
{
    /// <summary>How many rows say that somebody uses a volume.</summary>
    public async Task<int> MountRowsAsync() => int.Parse(await ReadAsync("SELECT count(*) FROM mounts"));

    /// <summary>How often callers use one volume, counted over all of them.</summary>
    public async Task<int> MountCountAsync(string volume) => int.Parse(await ReadAsync($"""
        SELECT coalesce(sum(m.count), 0) FROM mounts m JOIN volumes v ON v.id = m.volume_id WHERE v.name = '{volume}' AND v.removed_at IS NULL
        """));

    /// <summary>Every row of a mount, for people who look into a failure.</summary>
    public Task<string> MountsAsync() =>
        ReadAsync("SELECT v.name, substr(m.caller_id, 1, 12), m.count, m.engine_generation, m.mounted_at FROM mounts m JOIN volumes v ON v.id = m.volume_id");

    async Task<string> ReadAsync(string query) =>
        (await Command.RunAsync(Poll.Patience, "sqlite3", "-cmd", ".timeout 5000", path, query)).MustSucceed().Output;
}
