using System.Data.Common;

namespace VolumeManager.Catalog;

/// <summary>The statements that add to history. An event that is there already is not added again.</summary>
internal static class EventRows
{
    /// <summary>Adds an event, whatever else the transaction did.</summary>
    internal static FormattableString Append(Event e) => $"""
        INSERT INTO events (operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail, mounted_at, actor)
        VALUES ({TypedNull.Or(e.Operation)}, {e.At}, {e.Host}, {TypedNull.Or(e.VolumeId)}, {TypedNull.Or(e.VolumeName)}, {e.Kind}, {TypedNull.Or(e.CallerId)},
                {TypedNull.Or(e.DurationMs)}, {TypedNull.Or(e.Error)}, {TypedNull.Or(e.Detail)}, {TypedNull.Or(e.MountedAt)}, {TypedNull.Or(e.Actor)})
        ON CONFLICT DO NOTHING
        """;

    /// <summary>Adds an event if the transaction changed its volume.</summary>
    internal static FormattableString AppendIfChanged(Event e) => $"""
        INSERT INTO events (operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail, mounted_at, actor)
        SELECT {TypedNull.Or(e.Operation)}, {e.At}, {e.Host}, {TypedNull.Or(e.VolumeId)}, {TypedNull.Or(e.VolumeName)}, {e.Kind}, {TypedNull.Or(e.CallerId)},
               {TypedNull.Or(e.DurationMs)}, {TypedNull.Or(e.Error)}, {TypedNull.Or(e.Detail)}, {TypedNull.Or(e.MountedAt)}, {TypedNull.Or(e.Actor)}
        WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {e.VolumeId!.Value} AND revision = (SELECT revision FROM catalog))
        ON CONFLICT DO NOTHING
        """;

    /// <summary>An event of a catalog. The columns are those of the insertion, after the id.</summary>
    /// <param name="operation">Rows of before there were operations have none.</param>
    internal static Event Read(DbDataReader row, Guid operation) => new()
    {
        Operation = operation,
        At = row.GetUtcOrEpoch(2),
        Host = row.GetString(3),
        VolumeId = row.IsDBNull(4) ? null : row.GetGuid(4),
        VolumeName = row.IsDBNull(5) ? null : row.GetString(5),
        Kind = row.GetString(6),
        CallerId = row.IsDBNull(7) ? null : row.GetString(7),
        DurationMs = row.IsDBNull(8) ? null : row.GetDouble(8),
        Error = row.IsDBNull(9) ? null : row.GetString(9),
        Detail = row.IsDBNull(10) ? null : row.GetString(10),
        MountedAt = row.IsDBNull(11) ? null : row.GetUtcOrEpoch(11),
        Actor = row.IsDBNull(12) ? null : row.GetString(12),
    };

    /// <summary>The events that fit, the newest first; null fits all.</summary>
    /// <param name="after">The id of the last one of the page before.</param>
    internal static FormattableString Find(DateTime? since, DateTime? until, string? kind, string? volume, string? host, bool failed, long? after, int limit) => $"""
        SELECT id, operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail, mounted_at, actor FROM events
        WHERE id < {after ?? long.MaxValue} AND ({TypedNull.Or(since)} IS NULL OR at >= {TypedNull.Or(since)}) AND ({TypedNull.Or(until)} IS NULL OR at < {TypedNull.Or(until)})
          AND ({TypedNull.Or(kind)} IS NULL OR kind = {TypedNull.Or(kind)}) AND ({TypedNull.Or(volume)} IS NULL OR volume_name = {TypedNull.Or(volume)})
          AND ({TypedNull.Or(host)} IS NULL OR host = {TypedNull.Or(host)}) AND (error IS NOT NULL OR NOT {failed})
        ORDER BY id DESC LIMIT {limit}
        """;

    /// <summary>Deletes the oldest events that are older than that. Ids grow with time, so only the oldest need be looked at, however long the history.</summary>
    internal static FormattableString Prune(DateTime before, int limit) =>
        $"DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT {limit}) AND at < {before}";
}
