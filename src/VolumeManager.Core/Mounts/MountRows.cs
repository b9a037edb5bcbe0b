using VolumeManager.Catalog;

namespace VolumeManager.Mounts;

/// <summary>The statements that change mounts. Each is conditional, and its affected-row count is the decision.</summary>
internal static class MountRows
{
    internal static async Task<List<Mount>> ReadAllAsync(CatalogConnection db)
    {
        var mounts = new List<Mount>();
        await db.ReadAsync($"SELECT volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at FROM mounts", row => mounts.Add(new Mount
        {
            VolumeId = row.GetGuid(0),
            HostId = row.GetGuid(1),
            CallerId = row.GetString(2),
            Count = row.GetInt32(3),
            BootId = row.GetString(4),
            EngineGeneration = row.GetInt64(5),
            MountedAt = row.GetUtc(6),
        }));
        return mounts;
    }

    /// <summary>Claims a volume for a caller: one more of its count, or the first. Fails when the volume is gone or going, or another caller has it for itself.</summary>
    /// <param name="afresh">The caller's earlier mounts died with their engine: count from one again.</param>
    internal static async Task<bool> TryClaimAsync(CatalogConnection db, Mount m, bool afresh)
    {
        var added = afresh ? 0 : 1;
        return await db.ExecuteAsync($"""
            INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at)
            SELECT {m.VolumeId}, {m.HostId}, {m.CallerId}, 1, {m.BootId}, {m.EngineGeneration}, {m.MountedAt}
            FROM volumes WHERE id = {m.VolumeId} AND state = 'ready'
              AND (access <> 'single-caller' OR NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {m.VolumeId} AND (caller_id <> {m.CallerId} OR host_id <> {m.HostId})))
              AND (access <> 'single-host' OR NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {m.VolumeId} AND host_id <> {m.HostId}))
            ON CONFLICT (volume_id, host_id, caller_id) DO UPDATE
            SET count = mounts.count * {added} + 1, boot_id = excluded.boot_id, engine_generation = excluded.engine_generation
            """) == 1;
    }

    /// <summary>Takes one off the caller's count; the last one removes the row.</summary>
    internal static async Task ReleaseAsync(CatalogConnection db, Mount m)
    {
        var lowered = await db.ExecuteAsync(
            $"UPDATE mounts SET count = count - 1 WHERE volume_id = {m.VolumeId} AND host_id = {m.HostId} AND caller_id = {m.CallerId} AND count > 1");
        if (lowered == 0) await DropAsync(db, m);
    }

    /// <summary>Removes the caller's row, whatever its count.</summary>
    internal static Task<int> DropAsync(CatalogConnection db, Mount m) => db.ExecuteAsync(
        $"DELETE FROM mounts WHERE volume_id = {m.VolumeId} AND host_id = {m.HostId} AND caller_id = {m.CallerId}");
}
