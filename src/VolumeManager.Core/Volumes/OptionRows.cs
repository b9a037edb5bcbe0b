using VolumeManager.Catalog;

namespace VolumeManager.Volumes;

/// <summary>The statements that change a volume's options. What was set before is asked of the catalog itself, so that two who change at once lose nothing of the history.</summary>
internal static class OptionRows
{
    /// <summary>The first value of each option that was changed, null where there was none.</summary>
    internal static FormattableString ChangesOf(Guid volumeId) => $"""
        SELECT key, old_value FROM option_changes c
        WHERE volume_id = {volumeId} AND NOT EXISTS (SELECT 1 FROM option_changes e WHERE e.volume_id = c.volume_id AND e.key = c.key AND e.changed_at < c.changed_at)
        """;

    /// <param name="v">As it shall be.</param>
    /// <param name="needsUnmounted">Whether nobody may have it mounted.</param>
    internal static Change Set(Volume v, IReadOnlyList<OptionDifference> differences, bool needsUnmounted, string host, Event entry)
    {
        bool Sets(string key) => differences.Any(d => d.Key == key);
        return Change.Of(
            $"""
            UPDATE volumes
            SET access = CASE WHEN {Sets("access")} THEN {EnumText.Of(v.Access)} ELSE access END, size_bytes = CASE WHEN {Sets("size")} THEN {TypedNull.Or(v.SizeBytes)} ELSE size_bytes END,
                on_remove = CASE WHEN {Sets("on-remove")} THEN {EnumText.Of(v.OnRemove)} ELSE on_remove END, revision = (SELECT revision FROM catalog)
            WHERE id = {v.Id} AND state = 'ready' AND ({!needsUnmounted} OR NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {v.Id}))
            """,
            [.. Write(v.Id, differences, host, entry), EventRows.AppendIfChanged(entry)]);
    }

    /// <summary>Writes down the options of a volume that the transaction changed, and what they were.</summary>
    internal static IEnumerable<FormattableString> Write(Guid volumeId, IEnumerable<OptionDifference> differences, string host, Event entry) => differences.SelectMany(d =>
        d.Key.StartsWith(VolumeSpec.LabelPrefix, StringComparison.Ordinal) ? Label(volumeId, d, d.Key[VolumeSpec.LabelPrefix.Length..], host, entry) : Option(volumeId, d, host, entry));

    static IEnumerable<FormattableString> Option(Guid id, OptionDifference d, string host, Event entry)
    {
        yield return $"""
            INSERT INTO option_changes (volume_id, changed_at, key, old_value, new_value, host, actor)
            SELECT {id}, {entry.At}, {d.Key}, (SELECT value FROM volume_options WHERE volume_id = {id} AND key = {d.Key}), {TypedNull.Or(d.New)}, {host}, {entry.Actor ?? ""}
            WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {id} AND revision = (SELECT revision FROM catalog))
            ON CONFLICT DO NOTHING
            """;
        yield return $"DELETE FROM volume_options WHERE volume_id = {id} AND key = {d.Key} AND EXISTS (SELECT 1 FROM volumes WHERE id = {id} AND revision = (SELECT revision FROM catalog))";
        if (d.New is null) yield break;
        yield return $"""
            INSERT INTO volume_options (volume_id, key, value)
            SELECT {id}, {d.Key}, {d.New} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {id} AND revision = (SELECT revision FROM catalog)) ON CONFLICT DO NOTHING
            """;
    }

    static IEnumerable<FormattableString> Label(Guid id, OptionDifference d, string label, string host, Event entry)
    {
        yield return $"""
            INSERT INTO option_changes (volume_id, changed_at, key, old_value, new_value, host, actor)
            SELECT {id}, {entry.At}, {d.Key}, (SELECT value FROM volume_labels WHERE volume_id = {id} AND key = {label}), {TypedNull.Or(d.New)}, {host}, {entry.Actor ?? ""}
            WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {id} AND revision = (SELECT revision FROM catalog))
            ON CONFLICT DO NOTHING
            """;
        yield return $"DELETE FROM volume_labels WHERE volume_id = {id} AND key = {label} AND EXISTS (SELECT 1 FROM volumes WHERE id = {id} AND revision = (SELECT revision FROM catalog))";
        if (d.New is null) yield break;
        yield return $"""
            INSERT INTO volume_labels (volume_id, key, value)
            SELECT {id}, {label}, {d.New} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {id} AND revision = (SELECT revision FROM catalog)) ON CONFLICT DO NOTHING
            """;
    }
}
