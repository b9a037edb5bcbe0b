using System.Runtime.CompilerServices;
using VolumeManager.Catalog;
using VolumeManager.Volumes;

namespace VolumeManager.Copies;

/// <summary>
/// The statements that hold a volume while it is copied. It is in state <c>restoring</c>: its data is on the way to its place, and nobody mounts or removes it. What a killed
/// daemon has left is finished as a restoration is: where the data is in the trash of the volume's place it is put there, where it never left its place the volume is ready again.
/// </summary>
internal static class CopyRows
{
    /// <param name="held">As it shall be, with the time until which nobody takes it for abandoned.</param>
    internal static Change Hold(Volume held) => Change.Of(FormattableStringFactory.Create(
        $$"""
        UPDATE volumes SET state = 'restoring', removed_at = {0}, revision = (SELECT revision FROM catalog)
        WHERE id = {1} AND state = 'ready' AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {1}) AND NOT EXISTS ({{TrashRows.OldHosts}})
        """,
        held.RemovedAt!.Value, held.Id));

    /// <summary>It goes on; or another one is at it from now on. A switch by the time before comes too late.</summary>
    internal static Change Renew(Volume held, DateTime since) => Change.Of($"""
        UPDATE volumes SET removed_at = {held.RemovedAt!.Value}, revision = (SELECT revision FROM catalog)
        WHERE id = {held.Id} AND state = 'restoring' AND removed_at = {since}
          AND backend = {held.Backend} AND server = {held.Server} AND export = {held.Export} AND directory = {held.Directory}
        """);

    /// <summary>The volume is what it was.</summary>
    internal static Change Release(Volume held) => Change.Of($"""
        UPDATE volumes SET state = 'ready', removed_at = NULL, revision = (SELECT revision FROM catalog)
        WHERE id = {held.Id} AND state = 'restoring' AND removed_at = {held.RemovedAt!.Value}
          AND backend = {held.Backend} AND server = {held.Server} AND export = {held.Export} AND directory = {held.Directory}
        """);

    /// <summary>From now on the volume's data is the copy; what it was until now is a volume of its own, which is being removed. An evicted host that comes back has mounted that one: the
    /// epoch tells it.</summary>
    /// <param name="moved">In its new place.</param>
    /// <param name="left">The old place.</param>
    internal static Change Switch(Volume moved, Volume left, IReadOnlyList<OptionDifference> differences, string host, Event entry)
    {
        List<object> values =
        [
            moved.Backend, moved.Server, moved.Export, moved.Directory, EnumText.Of(moved.OnRemove), moved.ProvisionedAt!.Value, moved.Id, moved.RemovedAt!.Value, false,
        ];
        return Change.Of(
            FormattableStringFactory.Create(
                $$"""
                UPDATE volumes
                SET backend = {0}, server = {1}, export = {2}, directory = {3}, adopted = {8}, on_remove = {4}, provisioned_at = {5}, used_bytes = NULL, used_files = NULL, sampled_at = NULL,
                    epoch = epoch + 1, revision = (SELECT revision FROM catalog)
                WHERE id = {6} AND state = 'restoring' AND removed_at = {7} AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {6}) AND {{VolumeRows.OverlapsNone(moved, values)}}
                """,
                [.. values]),
            [
                $"""
                INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, size_bytes, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, provisioned_at,
                                     removed_at, revision)
                SELECT {left.Id}, {left.Name}, {left.Backend}, {left.Server}, {left.Export}, {left.Directory}, {left.Adopted}, access, {TypedNull.Or(left.SizeBytes)}, uid, gid, mode,
                       {EnumText.Of(left.OnRemove)}, 'removing', {left.Epoch}, created_at, created_on_host, provisioned_at, {left.RemovedAt!.Value}, revision
                FROM volumes WHERE id = {moved.Id} AND revision = (SELECT revision FROM catalog)
                ON CONFLICT DO NOTHING
                """,
                .. left.Options.Select(o => (FormattableString)$"INSERT INTO volume_options (volume_id, key, value) SELECT {left.Id}, {o.Key}, {o.Value} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {left.Id}) ON CONFLICT DO NOTHING"),
                .. left.Labels.Select(l => (FormattableString)$"INSERT INTO volume_labels (volume_id, key, value) SELECT {left.Id}, {l.Key}, {l.Value} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {left.Id}) ON CONFLICT DO NOTHING"),
                .. OptionRows.Write(moved.Id, differences, host, entry),
            ]);
    }
}
