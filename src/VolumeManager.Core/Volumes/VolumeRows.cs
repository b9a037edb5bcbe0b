using System.Data.Common;
using System.Runtime.CompilerServices;
using VolumeManager.Catalog;

namespace VolumeManager.Volumes;

/// <summary>The statements that change volumes. Each is conditional, and its affected-row count is the decision.</summary>
internal static class VolumeRows
{
    /// <summary>How long the row of a volume whose data is gone stays, so that every host hears of it.</summary>
    static readonly TimeSpan s_remembered = TimeSpan.FromDays(1);

    internal static readonly string[] Columns =
    [
        "id", "name", "backend", "server", "export", "directory", "adopted", "access", "size_bytes", "uid", "gid", "mode", "on_remove", "state", "epoch", "created_at",
        "created_on_host", "provisioned_at", "removed_at", "purge_after", "revision", "used_bytes", "used_files", "sampled_at",
    ];

    static readonly string s_columns = string.Join(", ", Columns);

    /// <summary>The volumes that a daemon must know: those that are not removed, and those that are but have a mount still. Without what belongs to them.</summary>
    internal static Task ReadKnownAsync(CatalogConnection db, Action<Volume> each) => db.ReadAsync(
        FormattableStringFactory.Create($"SELECT {s_columns} FROM volumes WHERE state IN ('ready', 'removing', 'restoring') OR id IN (SELECT volume_id FROM mounts)"), row => each(Read(row)));

    /// <summary>The ids of the removed volumes whose time has come, or that are due by their removal whatever clock that was told by, and that nobody holds, of those first that wait longest.</summary>
    /// <param name="asker">One host of several: of the others one that was not heard of since the removal may have mounted the volume, and nothing is deleted before it
    /// comes back or is evicted.</param>
    /// <param name="after">The last one of the batch before; null for the first batch.</param>
    internal static FormattableString Due(DateTime now, string rootId, Guid? asker, Volume? after, int limit) => FormattableStringFactory.Create(
        $"""
        SELECT id FROM volumes
        WHERE state IN ('trashed', 'purging', 'gone') AND (purge_after <= {"{0}"} OR purge_after = removed_at) AND (state = 'gone' OR backend = 'nfs' OR export = {"{1}"}) AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = volumes.id)
        {(after is null ? "" : "AND (purge_after > {4} OR (purge_after = {4} AND id > {5}))")}
        {(asker is null ? "" : "AND NOT EXISTS (SELECT 1 FROM hosts WHERE hosts.id <> {3} AND hosts.state <> 'evicted' AND hosts.last_seen_at < volumes.removed_at)")}
        {(asker is null ? "" : $"AND (state <> 'trashed' OR NOT EXISTS ({TrashRows.OldHosts}))")}
        ORDER BY purge_after, id LIMIT {"{2}"}
        """,
        [now, rootId, limit, asker ?? Guid.Empty, .. after is null ? [] : new object[] { after.PurgeAfter!.Value, after.Id }]);

    /// <summary>The order of <see cref="Due"/>.</summary>
    internal static List<Volume> InOrderOfDue(IEnumerable<Volume> volumes) => [.. volumes.OrderBy(v => v.PurgeAfter).ThenBy(v => v.Id)];

    /// <summary>Reads a row. What cannot be read makes it a volume with a fault; <see cref="StoredRow.Checked"/> looks at the rest.</summary>
    internal static Volume Read(DbDataReader row)
    {
        try
        {
            return ReadColumns(row);
        }
        catch (Exception e) when (RowReading.IsNoValue(e))
        {
            return ReadUnreadable(row, e);
        }
    }

    static Volume ReadColumns(DbDataReader row)
    {
        var (access, onRemove, state) = (EnumText.Parse<AccessMode>(row.GetString(7)), EnumText.Parse<OnRemove>(row.GetString(12)), EnumText.Parse<VolumeState>(row.GetString(13)));
        return new()
        {
            Id = row.GetGuid(0),
            Name = row.GetString(1),
            Backend = string.Intern(row.GetString(2)),
            Server = string.Intern(row.GetString(3)),
            Export = string.Intern(row.GetString(4)),
            Directory = row.GetString(5),
            Adopted = row.GetBoolean(6),
            Access = access ?? AccessMode.ReadOnly,
            SizeBytes = row.IsDBNull(8) ? null : row.GetInt64(8),
            Uid = row.GetInt64(9),
            Gid = row.GetInt64(10),
            Mode = row.GetInt32(11),
            OnRemove = onRemove ?? OnRemove.Retain,
            // Its name may be another volume's by now.
            State = state ?? VolumeState.Gone,
            Epoch = row.GetInt64(14),
            CreatedAt = row.GetUtc(15),
            CreatedOnHost = string.Intern(row.GetString(16)),
            ProvisionedAt = row.IsDBNull(17) ? null : row.GetUtc(17),
            RemovedAt = row.IsDBNull(18) ? null : row.GetUtc(18),
            PurgeAfter = row.IsDBNull(19) ? null : row.GetUtc(19),
            Revision = row.GetInt64(20),
            UsedBytes = row.IsDBNull(21) ? null : row.GetInt64(21),
            UsedFiles = row.IsDBNull(22) ? null : row.GetInt64(22),
            SampledAt = row.IsDBNull(23) ? null : row.GetUtc(23),
            Fault = access is null ? StoredRow.Has("access", row.GetString(7))
                : onRemove is null ? StoredRow.Has("on_remove", row.GetString(12))
                : state is null ? StoredRow.Has("state", row.GetString(13)) : null,
        };
    }

    /// <summary>What of such a row has to be known: which it is, and whether it has its name still.</summary>
    static Volume ReadUnreadable(DbDataReader row, Exception why)
    {
        T? Try<T>(Func<T> read)
        {
            try
            {
                return read();
            }
            catch (Exception e) when (RowReading.IsNoValue(e))
            {
                return default;
            }
        }

        return new()
        {
            Id = Try(() => row.GetGuid(0)),
            Name = Try(() => row.GetString(1)) ?? "",
            Backend = "local",
            Directory = "",
            CreatedAt = DateTime.UnixEpoch,
            CreatedOnHost = "",
            RemovedAt = DateTime.UnixEpoch,
            PurgeAfter = DateTime.MaxValue,
            State = Try(() => EnumText.Parse<VolumeState>(row.GetString(13))) ?? VolumeState.Gone,
            Revision = Try(() => row.GetInt64(20)),
            Fault = $"its row cannot be read ({why.Message.TrimEnd('.')})",
        };
    }

    /// <summary>Adds a volume unless its name is taken or its directory overlaps another volume's, whose removal would take it along.</summary>
    internal static Change Insert(Volume v, Event entry) => Change.Of(
        InsertUnlessTaken(v),
        [
            .. v.Options.Select(o => (FormattableString)$"""
                INSERT INTO volume_options (volume_id, key, value) SELECT {v.Id}, {o.Key}, {o.Value} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {v.Id}) ON CONFLICT DO NOTHING
                """),
            .. v.Labels.Select(l => (FormattableString)$"""
                INSERT INTO volume_labels (volume_id, key, value) SELECT {v.Id}, {l.Key}, {l.Value} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {v.Id}) ON CONFLICT DO NOTHING
                """),
            EventRows.AppendIfChanged(entry),
        ]);

    static FormattableString InsertUnlessTaken(Volume v)
    {
        List<object> values =
        [
            v.Id, v.Name, v.Backend, v.Server, v.Export, v.Directory, v.Adopted, EnumText.Of(v.Access), TypedNull.Or(v.SizeBytes), v.Uid, v.Gid, v.Mode, EnumText.Of(v.OnRemove), EnumText.Of(v.State),
            v.Epoch, v.CreatedAt, v.CreatedOnHost, TypedNull.Or(v.ProvisionedAt), TypedNull.Or(v.RemovedAt),
        ];
        return FormattableStringFactory.Create(
            $$"""
            INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, size_bytes, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, provisioned_at, removed_at,
                                 revision)
            SELECT {0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}, {12}, {13}, {14}, {15}, {16}, {17}, {18}, (SELECT revision FROM catalog)
            WHERE {{OverlapsNone(v, values)}}
            ON CONFLICT DO NOTHING
            """,
            [.. values]);
    }

    /// <summary>The condition that no living volume has a directory at, above or below the volume's own.</summary>
    /// <param name="values">Of the statement so far; those of the condition are added.</param>
    internal static string OverlapsNone(Volume v, List<object> values)
    {
        string Value(string value)
        {
            values.Add(value);
            return $"{{{values.Count - 1}}}";
        }

        var there = $"SELECT 1 FROM volumes WHERE state IN ('ready', 'removing', 'restoring') AND server = {Value(v.Server)} AND export = {Value(v.Export)}";
        List<string> atOrAbove = [Value(v.Directory)];
        for (var slash = v.Directory.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = v.Directory.IndexOf('/', slash + 1)) atOrAbove.Add(Value(v.Directory[..slash]));
        // All that lies below "d" sorts from "d/" up to "d0", the next character.
        return $"NOT EXISTS ({there} AND directory IN ({string.Join(", ", atOrAbove)})) AND NOT EXISTS ({there} AND directory > {Value(v.Directory + "/")} AND directory < {Value(v.Directory + "0")})";
    }

    /// <summary>Gives a row when some living volume has such a directory.</summary>
    internal static FormattableString OverlapsAny(Volume v)
    {
        List<object> values = [];
        return FormattableStringFactory.Create($"SELECT 1 WHERE NOT ({OverlapsNone(v, values)})", [.. values]);
    }

    /// <summary>Makes a host's copy of a volume what the shared catalog has. Of two volumes of one name the copied one is the living one. One that is mounted on the host keeps
    /// the name that it was mounted under, with which its Unmount will come; if it has another one by now, nobody mounts it under the old one any more.</summary>
    internal static Change Keep(Volume v) => Change.Quiet(
        v.IsLiving
            ? $"UPDATE volumes SET state = 'gone' WHERE name = {v.Name} AND id <> {v.Id} AND state IN ('ready', 'removing', 'restoring')"
            : (FormattableString)$"UPDATE volumes SET state = 'gone' WHERE id = {v.Id} AND state IN ('ready', 'removing', 'restoring')",
        [
            $"""
            INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, size_bytes, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host,
                                 provisioned_at, removed_at, purge_after, revision)
            VALUES ({v.Id}, {v.Name}, {v.Backend}, {v.Server}, {v.Export}, {v.Directory}, {v.Adopted}, {EnumText.Of(v.Access)}, {TypedNull.Or(v.SizeBytes)}, {v.Uid}, {v.Gid}, {v.Mode},
                    {EnumText.Of(v.OnRemove)}, {EnumText.Of(v.State)}, {v.Epoch}, {v.CreatedAt}, {v.CreatedOnHost}, {TypedNull.Or(v.ProvisionedAt)}, {TypedNull.Or(v.RemovedAt)},
                    {TypedNull.Or(v.PurgeAfter)}, {v.Revision})
            ON CONFLICT (id) DO UPDATE
            SET name = CASE WHEN EXISTS (SELECT 1 FROM mounts WHERE volume_id = excluded.id) THEN volumes.name ELSE excluded.name END,
                state = CASE WHEN EXISTS (SELECT 1 FROM mounts WHERE volume_id = excluded.id) AND volumes.name <> excluded.name THEN 'gone' ELSE excluded.state END,
                backend = excluded.backend, server = excluded.server, export = excluded.export, adopted = excluded.adopted,
                directory = excluded.directory, access = excluded.access, size_bytes = excluded.size_bytes, on_remove = excluded.on_remove, epoch = excluded.epoch,
                provisioned_at = COALESCE(excluded.provisioned_at, volumes.provisioned_at), removed_at = excluded.removed_at, purge_after = excluded.purge_after, revision = excluded.revision
            """,
            $"DELETE FROM volume_options WHERE volume_id = {v.Id}",
            $"DELETE FROM volume_labels WHERE volume_id = {v.Id}",
            .. v.Options.Select(o => (FormattableString)$"INSERT INTO volume_options (volume_id, key, value) VALUES ({v.Id}, {o.Key}, {o.Value})"),
            .. v.Labels.Select(l => (FormattableString)$"INSERT INTO volume_labels (volume_id, key, value) VALUES ({v.Id}, {l.Key}, {l.Value})"),
            // What is removed, and not held here, need not be remembered here. News of a removed one say nothing of its successor.
            v.IsLiving
                ? $"DELETE FROM volumes WHERE name = {v.Name} AND state IN ('trashed', 'purging', 'gone') AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = volumes.id)"
                : Unkeep(v.Id),
        ]);

    /// <summary>Takes a volume that is no more out of a host's copy, unless it is mounted there.</summary>
    internal static FormattableString Unkeep(Guid id) =>
        $"DELETE FROM volumes WHERE id = {id} AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {id})";

    /// <summary>Takes a volume over from another catalog as it is. The first statement tells whether it is there now; it is not when another volume has its name or directory.</summary>
    internal static IEnumerable<FormattableString> Adopt(Volume v) =>
    [
        $"""
        INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, size_bytes, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host,
                             provisioned_at, removed_at, purge_after, revision)
        SELECT {v.Id}, {v.Name}, {v.Backend}, {v.Server}, {v.Export}, {v.Directory}, {v.Adopted}, {EnumText.Of(v.Access)}, {TypedNull.Or(v.SizeBytes)}, {v.Uid}, {v.Gid}, {v.Mode},
               {EnumText.Of(v.OnRemove)}, {EnumText.Of(v.State)}, {v.Epoch}, {v.CreatedAt}, {v.CreatedOnHost}, {TypedNull.Or(v.ProvisionedAt)}, {TypedNull.Or(v.RemovedAt)},
               {TypedNull.Or(v.PurgeAfter)}, (SELECT revision FROM catalog)
        WHERE {!v.IsLiving} OR NOT EXISTS (
            SELECT 1 FROM volumes WHERE id <> {v.Id} AND state IN ('ready', 'removing', 'restoring')
            AND (name = {v.Name} OR (server = {v.Server} AND export = {v.Export} AND (directory = {v.Directory} OR starts_with(directory, {v.Directory + "/"}) OR starts_with({v.Directory}, directory || '/')))))
        ON CONFLICT (id) DO UPDATE SET revision = excluded.revision
        """,
        .. v.Options.Select(o => (FormattableString)$"INSERT INTO volume_options (volume_id, key, value) SELECT {v.Id}, {o.Key}, {o.Value} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {v.Id}) ON CONFLICT DO NOTHING"),
        .. v.Labels.Select(l => (FormattableString)$"INSERT INTO volume_labels (volume_id, key, value) SELECT {v.Id}, {l.Key}, {l.Value} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {v.Id}) ON CONFLICT DO NOTHING"),
    ];

    internal static Change SetProvisioned(Volume v, Event entry) => Change.Of(
        $"UPDATE volumes SET provisioned_at = {v.ProvisionedAt!.Value}, revision = (SELECT revision FROM catalog) WHERE id = {v.Id} AND provisioned_at IS NULL",
        EventRows.AppendIfChanged(entry));

    /// <summary>The same of what a host did while it could not tell.</summary>
    internal static FormattableString KeepProvisioned(Guid id, DateTime at) => $"UPDATE volumes SET provisioned_at = {at} WHERE id = {id} AND provisioned_at IS NULL";

    /// <summary>Closes the volume to new mounts, if nobody holds one.</summary>
    internal static Change BeginRemoval(Volume v, DateTime now) => Change.Of($"""
        UPDATE volumes SET state = 'removing', removed_at = {now}, revision = (SELECT revision FROM catalog)
        WHERE id = {v.Id} AND (state = 'ready' OR (state = 'removing' AND (removed_at IS NULL OR removed_at IN ({now}, {v.RemovedAt ?? now})))) AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {v.Id})
        """);

    /// <summary>The same, if the volume was neither changed nor measured since it was read.</summary>
    /// <remarks>Asked once more after a lost answer, it knows by its time that it was made.</remarks>
    internal static Change BeginRemovalAsRead(Volume v, DateTime now) => Change.Of($"""
        UPDATE volumes SET state = 'removing', removed_at = {now}, revision = (SELECT revision FROM catalog)
        WHERE id = {v.Id} AND state IN ('ready', 'removing') AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {v.Id})
          AND ((revision = {v.Revision} AND sampled_at IS NOT DISTINCT FROM {TypedNull.Or(v.SampledAt)}) OR (state = 'removing' AND removed_at = {now}))
        """);

    internal static Change CancelRemoval(Volume v) => Change.Of(
        $"UPDATE volumes SET state = 'ready', removed_at = NULL, revision = (SELECT revision FROM catalog) WHERE id = {v.Id} AND state = 'removing'");

    /// <summary>Its data is in the trash, or let go.</summary>
    internal static Change SetRemoved(Volume v, Event entry) => Change.Of(
        $"""
        UPDATE volumes SET state = {EnumText.Of(v.State)}, removed_at = {v.RemovedAt!.Value}, purge_after = {v.PurgeAfter!.Value}, revision = (SELECT revision FROM catalog)
        WHERE id = {v.Id} AND state = 'removing'
        """,
        EventRows.AppendIfChanged(entry));

    /// <summary>Its data is deleted for good.</summary>
    internal static Change SetGone(Volume v, DateTime now, Event entry) => Change.Of(
        $"UPDATE volumes SET state = 'gone', purge_after = {now + s_remembered}, revision = (SELECT revision FROM catalog) WHERE id = {v.Id} AND state = 'purging'",
        EventRows.AppendIfChanged(entry));

    /// <summary>Forgets a volume whose data is gone, with its options and labels. Its history stays. A mount row, were there one, would forbid it.</summary>
    /// <remarks>Its labels stay for as long as it is known what it held: what it has cost is asked for by label.</remarks>
    internal static Change Forget(Volume v) => Change.Quiet(
        $"""
        INSERT INTO former_labels (volume_id, key, value) SELECT volume_id, key, value FROM volume_labels
        WHERE volume_id = {v.Id} AND EXISTS (SELECT 1 FROM volumes WHERE id = {v.Id} AND state = 'gone') AND EXISTS (SELECT 1 FROM usage_daily WHERE volume_id = {v.Id})
        ON CONFLICT DO NOTHING
        """,
        [$"DELETE FROM volumes WHERE id = {v.Id} AND state = 'gone'"]);

    /// <summary>When the row of a volume that is let go now may be forgotten.</summary>
    internal static DateTime ForgottenAfter(DateTime now) => now + s_remembered;
}
