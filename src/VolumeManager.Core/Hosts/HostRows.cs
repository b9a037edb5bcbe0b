using VolumeManager.Catalog;

namespace VolumeManager.Hosts;

/// <summary>The statements that change hosts.</summary>
internal static class HostRows
{
    /// <summary>Lets the engine's generations count on from what was written, or claimed under. No engine outlives its host's boot.</summary>
    internal static Task ContinueGenerationsAsync(CatalogConnection db, ThisHost host) => db.ReadAsync(
        $"SELECT MAX(engine_generation, (SELECT COALESCE(MAX(engine_generation), 0) FROM mounts WHERE host_id = {host.Id})), boot_id FROM hosts WHERE id = {host.Id}",
        row => host.Engine.ContinueFrom(row.GetInt64(0) + (row.GetString(1) == host.BootId ? 0 : 1)));

    /// <summary>Writes down that this host runs, in this boot.</summary>
    internal static async Task RegisterAsync(CatalogConnection db, ThisHost host)
    {
        // A catalog of one host knows no other: what another id left came with a backup of a machine that is no more, and its mounts would block removals for ever.
        await db.ExecuteAsync($"DELETE FROM mounts WHERE host_id <> {host.Id}");
        await db.ExecuteAsync($"DELETE FROM hosts WHERE id <> {host.Id}");
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
