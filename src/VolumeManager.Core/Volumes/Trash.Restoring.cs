using Microsoft.Win32.SafeHandles;
using VolumeManager.Catalog;
using VolumeManager.Copies;
using VolumeManager.Exports;

namespace VolumeManager.Volumes;

/// <content>Restorations, and copies, that are taken to their end.</content>
internal sealed partial class Trash
{
    /// <summary>Takes a volume in state <c>restoring</c> to its end, which a daemon that was killed halfway has left. The caller holds its lock.</summary>
    internal async Task FinishRestoreAsync(Volume restoring)
    {
        // A copy that was cut off before the volume was given its new place. New places are named after the volume.
        if (IsCopied(restoring) && restoring.Directory != restoring.Name)
        {
            restoring = await DropCopyAsync(restoring);
            await FinishRestoreAsync(restoring, restoring, entry: null);
            return;
        }

        var entry = await exports.Of(restoring).FindTrashedAsync(restoring, CancellationToken.None);
        var name = entry is null ? restoring.Name : Export.NameIn(entry);
        await FinishRestoreAsync(restoring, restoring with { Name = name, Directory = restoring.Adopted ? restoring.Directory : name }, entry);
    }

    /// <summary>Deletes what was copied of a volume within its own place. In the trash there it would be taken for the volume's data, and the volume for removed.</summary>
    /// <returns>The volume as it is held then.</returns>
    async Task<Volume> DropCopyAsync(Volume held)
    {
        var export = exports.Of(held);
        if (held.RemovedAt is null || !await export.ExistsAsync(held)) return held;
        // From now on nobody who wakes up late can switch the volume over to the copy.
        if (catalog.Scope != "local") held = await RenewAsync(held) ?? throw new VolumeException($"volume {held.Name} was changed by another host at this moment: try again");

        await export.DropStagedAsync(held);
        return held;
    }

    /// <summary>Makes the catalog say that a volume is held from now on, which its copy, or the end of one, needs.</summary>
    /// <returns>The volume as it is held then; null when it is not any more.</returns>
    internal async Task<Volume?> RenewAsync(Volume held)
    {
        var next = held with { RemovedAt = Microseconds(catalog.Now) };
        var (made, now) = await catalog.ChangeAsync(CopyRows.Renew(next, held.RemovedAt!.Value), next);
        return made || now?.RemovedAt == next.RemovedAt ? next : null;
    }

    /// <summary>Whether its data comes from a copy (<see cref="CopyRows"/>), and not from its removal.</summary>
    static bool IsCopied(Volume restoring) => restoring.PurgeAfter is null;

    async Task<Volume> FinishRestoreAsync(Volume restoring, Volume trashed, string? entry)
    {
        var to = exports.Of(restoring).SourceOf(restoring);
        var ready = await PutInPlaceAsync(restoring, trashed, entry, history.Of(
            EventKind.Restore, restoring, detail: $"to {to}{(trashed.Name == restoring.Name ? "" : $", removed as {trashed.Name}")}"));
        LogRestored(ready.Name, to);
        return ready;
    }

    /// <summary>Takes a volume in state <c>restoring</c> to its end. The caller holds its lock.</summary>
    /// <param name="trashed">What it is again if its data cannot be moved.</param>
    /// <param name="entry">Where its data is in the trash; null when it is not there, for it was moved already.</param>
    /// <param name="told">What history tells of it.</param>
    /// <returns>The volume, ready.</returns>
    internal async Task<Volume> PutInPlaceAsync(Volume restoring, Volume trashed, string? entry, Event told)
    {
        var export = exports.Of(restoring);
        SafeFileHandle? moved = null;
        try
        {
            moved = entry is null ? null : await export.RestoreAsync(restoring, entry);
            if (moved is null && !await export.ExistsAsync(restoring)) throw new VolumeException($"the data of volume {trashed.Name} is not in the trash of {export.Name} any more: it cannot be restored");
        }
        catch (VolumeException)
        {
            // What was never removed does not go into the trash: it waits until its data can be put in its place.
            if (IsCopied(restoring)) throw;
            // Of a server that fell silent nobody knows whether it has moved it: whoever reaches it finishes.
            if (await export.FindTrashedAsync(restoring, CancellationToken.None) is not null || !await export.ExistsAsync(restoring)) await catalog.CancelRestoreAsync(restoring, trashed);
            throw;
        }

        using var data = moved;
        var ready = restoring with { State = VolumeState.Ready, RemovedAt = null, PurgeAfter = null };
        try
        {
            await catalog.EndRestoreAsync(ready, told);
        }
        catch (VolumeException e) when (moved is not null && e is not CatalogAwayException)
        {
            await TakeBackAsync(restoring, trashed, moved);
            throw;
        }

        return ready;
    }
}
