using System.Runtime.CompilerServices;
using VolumeManager.Catalog;

namespace VolumeManager.Volumes;

/// <summary>
/// The statements that take a volume out of the trash, one way or the other: it is restored, or its data is deleted. Both begin by a change of its state from <c>trashed</c>,
/// before anything is done to its data; so of the two one happens (docs/decisions/0015).
/// </summary>
internal static class TrashRows
{
    /// <summary>The hosts that cannot read a volume in the states <c>restoring</c> and <c>purging</c>, which came with 0.2.0: such a row would cut them off from the cluster. While
    /// it has one of them nothing begins that has such a state.</summary>
    internal const string OldHosts = "SELECT name, version FROM hosts WHERE state <> 'evicted' AND version LIKE '0.1.%'";

    static readonly string s_columns = string.Join(", ", VolumeRows.Columns);

    /// <summary>The condition that a volume's data is in the trash.</summary>
    internal static FormattableString InTrash(Guid? only) => only is { } id ? $"state IN ('trashed', 'purging') AND id = {id}" : (FormattableString)$"state IN ('trashed', 'purging')";

    /// <summary>The condition that a volume is one of those.</summary>
    /// <param name="ids">A SELECT.</param>
    internal static FormattableString In(FormattableString ids) => FormattableStringFactory.Create($"id IN ({ids.Format})", ids.GetArguments()!);

    /// <summary>Reads some volumes with their options and labels, without their mounts.</summary>
    /// <param name="condition">Which of them: the text of a WHERE.</param>
    internal static async Task<List<Volume>> ReadAsync(CatalogConnection db, FormattableString condition)
    {
        FormattableString Where(string select) => FormattableStringFactory.Create($"{select} (SELECT id FROM volumes WHERE {condition.Format})", condition.GetArguments()!);
        var options = await VolumeIndex.ReadPairsAsync(db, Where("SELECT volume_id, key, value FROM volume_options WHERE volume_id IN"));
        var labels = await VolumeIndex.ReadPairsAsync(db, Where("SELECT volume_id, key, value FROM volume_labels WHERE volume_id IN"));
        var volumes = new List<Volume>();
        await db.ReadAsync(Where($"SELECT {s_columns} FROM volumes WHERE id IN"), row =>
        {
            var volume = VolumeRows.Read(row);
            volumes.Add(StoredRow.Checked(volume with { Options = options.GetValueOrDefault(volume.Id) ?? volume.Options, Labels = labels.GetValueOrDefault(volume.Id) ?? volume.Labels }));
        });
        return volumes;
    }

    /// <summary>Gives a trashed volume the name and the directory that it shall have, unless another living one has them, or it was changed since it was read.</summary>
    /// <param name="trashed">As it was read.</param>
    /// <param name="restoring">As it shall be.</param>
    internal static Change BeginRestore(Volume trashed, Volume restoring)
    {
        List<object> values = [restoring.Name, restoring.Directory, restoring.RemovedAt!.Value, trashed.Id, trashed.Revision];
        return Change.Of(FormattableStringFactory.Create(
            $$"""
            UPDATE volumes SET state = 'restoring', name = {0}, directory = {1}, removed_at = {2}, revision = (SELECT revision FROM catalog)
            WHERE id = {3} AND state = 'trashed' AND revision = {4} AND NOT EXISTS ({{OldHosts}})
              AND NOT EXISTS (SELECT 1 FROM volumes WHERE name = {0} AND state IN ('ready', 'removing', 'restoring'))
              AND {{VolumeRows.OverlapsNone(restoring, values)}}
            """,
            [.. values]));
    }

    /// <summary>Its data is in its place.</summary>
    internal static Change EndRestore(Volume v, Event entry) => Change.Of(
        $"UPDATE volumes SET state = 'ready', removed_at = NULL, purge_after = NULL, revision = (SELECT revision FROM catalog) WHERE id = {v.Id} AND state = 'restoring'",
        EventRows.AppendIfChanged(entry));

    /// <summary>Its data stays in the trash.</summary>
    /// <param name="trashed">With the name and the directory that it had there, and the time of its removal; where that is not known any more, of the restoration.</param>
    internal static Change CancelRestore(Volume trashed) => Change.Of($"""
        UPDATE volumes SET state = 'trashed', name = {trashed.Name}, directory = {trashed.Directory}, removed_at = {trashed.RemovedAt!.Value}, revision = (SELECT revision FROM catalog)
        WHERE id = {trashed.Id} AND state = 'restoring'
        """);

    /// <summary>Nothing keeps the data of a trashed volume any longer.</summary>
    internal static Change MakeDue(Volume v, Event entry) => Change.Of(
        $"UPDATE volumes SET purge_after = removed_at, revision = (SELECT revision FROM catalog) WHERE id = {v.Id} AND state = 'trashed' AND revision = {v.Revision}",
        EventRows.AppendIfChanged(entry));

    /// <summary>From now on its data may be deleted, and it is not restored any more; unless it was changed since it was read. A purge that was cut off is begun again, which is no news to anybody.</summary>
    internal static Change BeginPurge(Volume due) => due.State == VolumeState.Purging
        ? Change.Quiet($"UPDATE volumes SET state = 'purging' WHERE id = {due.Id} AND state = 'purging' AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {due.Id})")
        : Change.Of($"""
            UPDATE volumes SET state = 'purging', revision = (SELECT revision FROM catalog)
            WHERE id = {due.Id} AND state = 'trashed' AND revision = {due.Revision} AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {due.Id})
            """);
}
