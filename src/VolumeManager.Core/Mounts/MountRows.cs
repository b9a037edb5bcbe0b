using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Mounts;

/// <summary>The statements that change mounts. Counts are absolute: what is run twice is done once.</summary>
internal static class MountRows
{
    internal static async Task<List<Mount>> ReadAllAsync(CatalogConnection db)
    {
        var mounts = new List<Mount>();
        await db.ReadAsync($"SELECT volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch FROM mounts", row => mounts.Add(new Mount
        {
            VolumeId = row.GetGuid(0),
            HostId = row.GetGuid(1),
            CallerId = row.GetString(2),
            Count = row.GetInt32(3),
            BootId = row.GetString(4),
            EngineGeneration = row.GetInt64(5),
            MountedAt = row.GetUtcOrEpoch(6),
            Epoch = row.GetInt64(7),
        }));
        return mounts;
    }

    /// <summary>Claims a volume for a caller. Fails when the volume is gone or going, has been given to another host since it was read, another caller has it for itself, or
    /// a host that was evicted, and may have had it, is not shut out of its export yet (<see cref="Fencing"/>).</summary>
    internal static Change Claim(Mount m, Event entry) => Change.Of(
        $"""
        UPDATE volumes SET revision = (SELECT revision FROM catalog)
        WHERE id = {m.VolumeId} AND state = 'ready' AND epoch = {m.Epoch}
          AND (access <> 'single-caller' OR NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {m.VolumeId} AND (caller_id <> {m.CallerId} OR host_id <> {m.HostId})))
          AND (access <> 'single-host' OR NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {m.VolumeId} AND host_id <> {m.HostId}))
          AND (access IN ('shared', 'read-only') OR NOT EXISTS (
            SELECT 1 FROM export_clients c WHERE c.server = volumes.server AND c.path = volumes.export AND c.host_id <> {m.HostId} AND c.is_evicted AND c.withdrawn_at IS NULL))
        """,
        PutIfChanged(m), EventRows.AppendIfChanged(entry));

    /// <summary>Takes an exclusive volume from hosts whose lease and grace are over by the database's clock, and claims it. The epoch grows, by which a host that comes
    /// back knows that it has lost the volume. Where a host of the cluster serves the export they must be shut out of it by then, and the serving host itself cannot be.
    /// For PostgreSQL: one host has no others to take from.</summary>
    internal static Change TakeOver(Mount m, TimeSpan grace, Event takeover, Event entry) => Change.Of(
        $"""
        UPDATE volumes SET epoch = epoch + 1, revision = (SELECT revision FROM catalog)
        WHERE id = {m.VolumeId} AND state = 'ready' AND epoch = {m.Epoch} AND access IN ('single-host', 'single-caller')
          AND EXISTS (SELECT 1 FROM mounts WHERE volume_id = {m.VolumeId} AND host_id <> {m.HostId})
          AND NOT EXISTS (SELECT 1 FROM mounts JOIN hosts ON hosts.id = mounts.host_id
                          WHERE volume_id = {m.VolumeId} AND host_id <> {m.HostId} AND hosts.state <> 'evicted' AND hosts.lease_expires_at + {grace} >= now())
          AND NOT EXISTS (SELECT 1 FROM mounts LEFT JOIN export_clients c ON c.host_id = mounts.host_id AND c.server = volumes.server AND c.path = volumes.export
                          JOIN exports x ON x.server = volumes.server AND x.path = volumes.export
                          WHERE volume_id = {m.VolumeId} AND mounts.host_id <> {m.HostId} AND (x.host_id = mounts.host_id OR c.withdrawn_at IS NULL))
          AND (access = 'single-host' OR NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {m.VolumeId} AND host_id = {m.HostId} AND caller_id <> {m.CallerId}))
        """,
        [
            $"""
            INSERT INTO events (operation, at, host, volume_id, volume_name, kind, caller_id, detail, mounted_at)
            SELECT gen_random_uuid(), {takeover.At}, hosts.name, {m.VolumeId}, {takeover.VolumeName}, {EventKind.Taken}, mounts.caller_id, {"by " + takeover.Host}, mounts.mounted_at
            FROM mounts JOIN hosts ON hosts.id = mounts.host_id
            WHERE volume_id = {m.VolumeId} AND host_id <> {m.HostId} AND EXISTS (SELECT 1 FROM volumes WHERE id = {m.VolumeId} AND revision = (SELECT revision FROM catalog))
            """,
            $"DELETE FROM mounts WHERE volume_id = {m.VolumeId} AND host_id <> {m.HostId} AND EXISTS (SELECT 1 FROM volumes WHERE id = {m.VolumeId} AND revision = (SELECT revision FROM catalog))",
            EventRows.AppendIfChanged(takeover), PutIfChanged(m), EventRows.AppendIfChanged(entry),
        ]);

    static FormattableString PutIfChanged(Mount m) => $"""
        INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch)
        SELECT {m.VolumeId}, {m.HostId}, {m.CallerId}, {m.Count}, {m.BootId}, {m.EngineGeneration}, {m.MountedAt}, epoch
        FROM volumes WHERE id = {m.VolumeId} AND revision = (SELECT revision FROM catalog)
        ON CONFLICT (volume_id, host_id, caller_id) DO UPDATE
        SET count = excluded.count, boot_id = excluded.boot_id, engine_generation = excluded.engine_generation, epoch = excluded.epoch
        """;

    /// <summary>Writes a mount into the host's own record, whatever the catalog says.</summary>
    internal static FormattableString Put(Mount m) => $"""
        INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch)
        VALUES ({m.VolumeId}, {m.HostId}, {m.CallerId}, {m.Count}, {m.BootId}, {m.EngineGeneration}, {m.MountedAt}, {m.Epoch})
        ON CONFLICT (volume_id, host_id, caller_id) DO UPDATE
        SET count = excluded.count, boot_id = excluded.boot_id, engine_generation = excluded.engine_generation, epoch = excluded.epoch
        """;

    /// <summary>The same, unless there is one: what a daemon told since counts.</summary>
    internal static FormattableString PutNew(Mount m) => $"""
        INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch)
        SELECT {m.VolumeId}, {m.HostId}, {m.CallerId}, {m.Count}, {m.BootId}, {m.EngineGeneration}, {m.MountedAt}, {m.Epoch} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {m.VolumeId})
        ON CONFLICT DO NOTHING
        """;

    /// <summary>Leaves that many mounts of the caller; none removes its row.</summary>
    internal static FormattableString Leave(Mount m, int count) => count > 0
        ? (FormattableString)$"UPDATE mounts SET count = {count} WHERE volume_id = {m.VolumeId} AND host_id = {m.HostId} AND caller_id = {m.CallerId}"
        : (FormattableString)$"DELETE FROM mounts WHERE volume_id = {m.VolumeId} AND host_id = {m.HostId} AND caller_id = {m.CallerId}";

    /// <summary>Lets others see that a volume's mounts have changed, and remembers when it was last in use.</summary>
    internal static FormattableString Touch(Guid volumeId, DateTime now) => $"UPDATE volumes SET revision = (SELECT revision FROM catalog), last_used_at = {now} WHERE id = {volumeId}";

    /// <summary>Makes a host's mounts of a volume in the shared catalog what the host itself knows them to be. What was taken from it, or is gone, stays out.</summary>
    internal static Change Replace(Guid volumeId, Guid hostId, IReadOnlyList<Mount> mounts, DateTime now) => Change.Of(
        $"DELETE FROM mounts WHERE volume_id = {volumeId} AND host_id = {hostId}",
        [
            .. mounts.Select(FormattableString (m) => $"""
                INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch)
                SELECT {m.VolumeId}, {m.HostId}, {m.CallerId}, {m.Count}, {m.BootId}, {m.EngineGeneration}, {m.MountedAt}, epoch
                FROM volumes
                WHERE id = {m.VolumeId} AND state <> 'gone' AND epoch = {m.Epoch}
                  AND (access IN ('shared', 'read-only') OR NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {m.VolumeId} AND host_id <> {m.HostId}))
                """),
            // It is mounted, so its directory was there.
            .. mounts.Take(1).Select(m => VolumeRows.KeepProvisioned(volumeId, m.MountedAt)),
            Touch(volumeId, now),
        ]);
}
