using VolumeManager.Catalog;

namespace VolumeManager.Hosts;

/// <summary>The statements that change hosts.</summary>
internal static class HostRows
{
    /// <summary>Writes down that this host runs, in this boot, and lets its engine's generations count on from what was written.</summary>
    internal static async Task RegisterAsync(CatalogConnection db, ThisHost host)
    {
        // No engine outlives its host's boot.
        await db.ReadAsync($"SELECT engine_generation, boot_id FROM hosts WHERE id = {host.Id}", row => host.Engine.ContinueFrom(row.GetInt64(0) + (row.GetString(1) == host.BootId ? 0 : 1)));
        var now = DateTime.UtcNow;
        await db.ExecuteAsync($"""
            INSERT INTO hosts (id, name, boot_id, version, engine_generation, last_seen_at, state)
            VALUES ({host.Id}, {host.Name}, {host.BootId}, {ProgramVersion.Text}, {host.Engine.Current}, {now}, 'live')
            ON CONFLICT (id) DO UPDATE
            SET name = excluded.name, boot_id = excluded.boot_id, version = excluded.version, engine_generation = excluded.engine_generation, last_seen_at = excluded.last_seen_at
            """);
        await History.AppendAsync(db, new Event { At = now, Host = host.Name, Kind = EventKind.HostStart, Detail = $"volman {ProgramVersion.Text}, boot {host.BootId}" });
    }

    internal static Task<int> SetGenerationAsync(CatalogConnection db, ThisHost host, long generation) =>
        db.ExecuteAsync($"UPDATE hosts SET engine_generation = {generation} WHERE id = {host.Id}");
}
