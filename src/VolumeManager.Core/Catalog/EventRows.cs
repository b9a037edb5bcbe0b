namespace VolumeManager.Catalog;

/// <summary>The statements that add to history. An event that is there already is not added again.</summary>
internal static class EventRows
{
    /// <summary>Adds an event, whatever else the transaction did.</summary>
    internal static FormattableString Append(Event e) => $"""
        INSERT INTO events (operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail)
        VALUES ({TypedNull.Or(e.Operation)}, {e.At}, {e.Host}, {TypedNull.Or(e.VolumeId)}, {TypedNull.Or(e.VolumeName)}, {e.Kind}, {TypedNull.Or(e.CallerId)},
                {TypedNull.Or(e.DurationMs)}, {TypedNull.Or(e.Error)}, {TypedNull.Or(e.Detail)})
        ON CONFLICT DO NOTHING
        """;

    /// <summary>Adds an event if the transaction changed its volume.</summary>
    internal static FormattableString AppendIfChanged(Event e) => $"""
        INSERT INTO events (operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail)
        SELECT {TypedNull.Or(e.Operation)}, {e.At}, {e.Host}, {TypedNull.Or(e.VolumeId)}, {TypedNull.Or(e.VolumeName)}, {e.Kind}, {TypedNull.Or(e.CallerId)},
               {TypedNull.Or(e.DurationMs)}, {TypedNull.Or(e.Error)}, {TypedNull.Or(e.Detail)}
        WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {e.VolumeId!.Value} AND revision = (SELECT revision FROM catalog))
        ON CONFLICT DO NOTHING
        """;

    /// <summary>Deletes the oldest events that are older than that. Ids grow with time, so only the oldest need be looked at, however long the history.</summary>
    internal static FormattableString Prune(DateTime before, int limit) =>
        $"DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT {limit}) AND at < {before}";
}
