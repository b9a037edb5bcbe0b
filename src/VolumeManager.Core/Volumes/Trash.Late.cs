using Microsoft.Win32.SafeHandles;
using VolumeManager.Exports;

namespace VolumeManager.Volumes;

/// <content>What is to be done about a rename that came about when another host had ended the removal or restoration already, and the operator perhaps had taken it back.</content>
internal sealed partial class Trash
{
    /// <summary>Gives a place that is a living volume's again back what a late removal took from it. Containers that have it notice nothing: a mount is of the directory, not of its path.</summary>
    /// <param name="removed">As it was when its directory was moved into the trash.</param>
    internal async Task PutBackAsync(Volume removed)
    {
        var export = exports.Of(removed);
        try
        {
            // Looked at again after each rename: somebody may have removed it in between, and found nothing there.
            for (var isInTrash = true; await IsInUseAsync(removed) == isInTrash; isInTrash = !isInTrash)
            {
                // A directory in that place is the successor's own. Then what was moved is the removed volume's: another host has ended the removal, and made the successor, in between.
                if (!await (isInTrash ? export.PutBackAsync(removed) : export.TrashAsync(removed))) break;
                LogPutRight(removed.Name, isInTrash ? export.SourceOf(removed) : Export.Trash);
            }
        }
        catch (VolumeException e)
        {
            LogNotPutRight(removed.Name, $"{Export.Trash}/{Export.TrashName(removed)}", export.SourceOf(removed), e.Message);
            throw;
        }
    }

    /// <summary>Whether the place is a volume's now, whichever, that nobody removes.</summary>
    async Task<bool> IsInUseAsync(Volume removed) =>
        await catalog.FindAsync(removed.Name, CancellationToken.None) is { } now
        // What another one shall have in its place is on the way there.
        && (now.State == VolumeState.Ready || (now.State == VolumeState.Restoring && now.Id == removed.Id))
        && now.IsAt(removed);

    /// <summary>Moves back into the trash what a late restoration took from there. Nobody can have restored it in between, for it was not there to be found.</summary>
    /// <param name="moved">The directory that it took.</param>
    async Task TakeBackAsync(Volume restored, Volume trashed, SafeFileHandle moved)
    {
        var now = await catalog.FindAsync(restored.Name, CancellationToken.None);
        if (now is { IsLiving: true } && now.Id == restored.Id) return;
        var export = exports.Of(restored);
        try
        {
            // It may have come in time, and been removed since. Then another directory in that place is a successor's, and stays.
            if (!await export.TrashAsync(restored with { Name = trashed.Name }, only: moved)) return;
            LogPutRight(trashed.Name, Export.Trash);
            // It was put over the successor's own directory, which was empty.
            if (now is { State: VolumeState.Ready, Adopted: false } && now.IsAt(restored)) await export.MakeAsync(now, CancellationToken.None);
        }
        catch (VolumeException e)
        {
            LogNotPutRight(trashed.Name, export.SourceOf(restored), $"{Export.Trash}/{Export.TrashName(trashed)}", e.Message);
            throw;
        }
    }
}
