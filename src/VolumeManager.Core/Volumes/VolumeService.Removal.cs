using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Linux;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <content>Remove: first the row is closed to new mounts, then the directory goes, then the row.</content>
internal sealed partial class VolumeService
{
    /// <summary>How history tells of a directory that was let go, before its place.</summary>
    internal const string RetainedAt = "the directory stays at ";
    /// <summary>Removes a volume that nobody uses; its directory goes the way that its <c>on-remove</c> says. One that does not exist is success.</summary>
    /// <param name="isMeant">What has to be so of the volume up to the moment at which it is closed to new mounts; null when any of that name is meant.</param>
    /// <returns>What it was; null when there was none.</returns>
    /// <exception cref="ChangedMeanwhileException">It is not the one that is meant. Nothing is changed.</exception>
    /// <exception cref="VolumeException">It is in use, by whom is named, or its directory cannot be moved. Nothing is changed.</exception>
    internal async Task<Volume?> RemoveAsync(string name, CancellationToken cancellation, Func<Volume, bool>? isMeant = null)
    {
        if (!VolumeName.IsValid(name)) return null;
        using var turn = await locks.AcquireAsync(name, cancellation);
        Volume? was = null;
        // What was known may have been removed elsewhere, and made anew: then the new one is meant.
        for (Guid? gone = null; await catalog.FindAsync(name, cancellation) is { } volume && volume.Id != gone; gone = volume.Id)
        {
            was = volume;
            if (await TryRemoveAsync(volume, isMeant, cancellation)) break;
        }

        return was;
    }

    /// <returns>False when the volume is gone already.</returns>
    async Task<bool> TryRemoveAsync(Volume volume, Func<Volume, bool>? isMeant, CancellationToken cancellation)
    {
        var name = volume.Name;
        if (isMeant?.Invoke(volume) == false) throw new ChangedMeanwhileException(name);
        // Of other hosts' mounts what is known may be old: while the catalog is away it is not known whether the volume is in use, and so it says.
        if (!volume.Mounts.IsEmpty && (catalog.StaleSince is null || volume.IsMountedOn(host.Id))) throw InUse(volume);
        if (volume.State == VolumeState.Restoring)
        {
            await FinishAbandonedAsync(volume);
            if (await catalog.FindAsync(name, cancellation) is not { State: VolumeState.Ready } restored) return false;
            volume = restored;
            if (isMeant?.Invoke(volume) == false) throw new ChangedMeanwhileException(name);
        }

        if (volume.State == VolumeState.Removing)
        {
            // What is known may be an earlier volume of the name, and the present one be in use: only of what the name means now the end is success.
            if (await catalog.FindAsync(name, cancellation, mustBeCurrent: true) is not { } now || now.Id != volume.Id) return false;
            volume = now;
        }

        await CheckUnheldAsync(volume, cancellation);
        cancellation.ThrowIfCancellationRequested();
        if (volume.State != VolumeState.Removing)
        {
            var (made, now) = await catalog.BeginRemovalAsync(volume, isMeant);
            if (!made && isMeant is not null) throw new ChangedMeanwhileException(name);
            if (now is null) return false;
            if (now.State != VolumeState.Removing) throw InUse(now);
            volume = now;
            if (made)
            {
                await FinishRemovalAsync(volume);
                return true;
            }
        }

        await FollowRemovalAsync(volume, cancellation);
        return true;
    }

    /// <summary>Waits for another host that removes the volume at this moment. One that takes too long may have been killed over it: then this host does it.</summary>
    /// <exception cref="VolumeException">It could not be removed.</exception>
    async Task FollowRemovalAsync(Volume volume, CancellationToken cancellation)
    {
        var began = Environment.TickCount64;
        for (var now = volume; !catalog.IsAbandoned(now) && Environment.TickCount64 - began < settings.Timings.OthersWork.TotalMilliseconds; volume = now)
        {
            await Task.Delay(settings.Timings.OthersPause, cancellation);
            // A new one of its name is not what was to be removed.
            now = await catalog.FindAsync(volume.Name, cancellation);
            if (now?.Id != volume.Id) return;
            if (now.State != VolumeState.Removing) throw new VolumeException($"volume {volume.Name} could not be removed by a host of the cluster that tried at this moment: see volman event ls --volume {volume.Name}, then try again");
        }

        await FinishRemovalAsync(await TakeOverAsync(volume));
    }

    /// <summary>Makes a removal that somebody else has begun this host's own: of several that would end it one does, and none by what it remembers.</summary>
    async Task<Volume> TakeOverAsync(Volume removing) =>
        await catalog.BeginRemovalAsync(removing, isMeant: null) is { Made: true, Now: { } taken } ? taken : throw IsBusy(removing);

    /// <summary>Whatever the catalog says: the engine may have forgotten a container (live-restore) that the kernel still knows.</summary>
    /// <exception cref="VolumeException">Something of this host has the volume.</exception>
    internal async Task CheckUnheldAsync(Volume volume, CancellationToken cancellation)
    {
        var name = volume.Name;
        if (Mounter.IsMounted(mounts.TargetOf(name)) && !await mounts.TryDetachAsync(volume))
        {
            throw new VolumeException($"volume {name} is in use on host {host.Name}: a process works in {mounts.TargetOf(name)}, end it first");
        }

        await CheckNotInContainersAsync(volume, cancellation);
    }

    async Task CheckNotInContainersAsync(Volume volume, CancellationToken cancellation)
    {
        var name = volume.Name;
        // First the export: one that is not mounted cannot be recognised in a container.
        await exports.Of(volume).CheckAsync(volume, cancellation);
        if (await mounts.IsHeldByContainerAsync(volume, cancellation))
        {
            if (!MountNamespaces.AreSeen) throw new VolumeException($"volume {name} may be in use on host {host.Name}: {MountNamespaces.Unseen}");
            throw new VolumeException($"volume {name} is in use on host {host.Name}: a container or another mount still has {exports.Of(volume).SourceOf(volume)}, stop it first");
        }
    }

    /// <summary>Takes a volume in state <c>removing</c> to its end. The caller holds its lock. A daemon that was killed halfway comes here again.</summary>
    internal async Task FinishRemovalAsync(Volume volume)
    {
        var now = catalog.Now;
        var (isMoved, isEnded) = (false, false);
        if (volume.OnRemove == OnRemove.Retain)
        {
            var gone = volume with { State = VolumeState.Gone, RemovedAt = now, PurgeAfter = VolumeRows.ForgottenAfter(now) };
            isEnded = await catalog.EndRemovalAsync(gone, history.Of(EventKind.Remove, volume, detail: RetainedAt + exports.Of(volume).SourceOf(volume)));
        }
        else
        {
            isMoved = await TrashAsync(volume);
            var trashed = volume with
            {
                State = VolumeState.Trashed,
                RemovedAt = now,
                PurgeAfter = volume.OnRemove == OnRemove.Delete ? now : now + settings.TrashRetention,
            };
            isEnded = await catalog.EndRemovalAsync(
                trashed, history.Of(EventKind.Remove, volume, detail: $"in {Export.Trash}/{Export.TrashName(volume)} until {trashed.PurgeAfter:u}"));
            if (trashed.PurgeAfter <= now) trash.PurgeDue?.Invoke();
        }

        if (!isEnded)
        {
            if (isMoved) await trash.PutBackAsync(volume);
            if (await catalog.FindAsync(volume.Name, CancellationToken.None) is { State: VolumeState.Ready or VolumeState.Restoring } kept && kept.Id == volume.Id)
            {
                throw new VolumeException($"the removal of volume {volume.Name} was taken back on another host meanwhile, and it stays with its data: if it shall go, remove it again");
            }
        }

        LogRemoved(volume.Name, EnumText.Of(volume.OnRemove));
    }

    /// <summary>Takes a removal or restoration to its end that a daemon which was killed halfway has left. The caller holds the volume's lock.</summary>
    /// <exception cref="VolumeException">Another host is at it.</exception>
    internal async Task FinishAbandonedAsync(Volume volume)
    {
        var isRestored = volume.State == VolumeState.Restoring;
        if (!catalog.IsAbandoned(volume)) throw IsBusy(volume);
        if (catalog.StaleSince is not null) throw new VolumeException($"volume {volume.Name} was being {(isRestored ? "restored or copied" : "removed")} when the catalog was last heard of: see to the catalog's database, then try again");
        await (isRestored ? trash.FinishRestoreAsync(volume) : FinishRemovalAsync(await TakeOverAsync(volume)));
    }

    static VolumeException IsBusy(Volume volume) => new(volume.State == VolumeState.Restoring
        ? $"volume {volume.Name} is being restored or copied by a host of the cluster at this moment: try again when that is done"
        : $"volume {volume.Name} is being removed by a host of the cluster at this moment: try again");

    internal VolumeException InUse(Volume volume) => new(volume.State == VolumeState.Restoring
        ? $"volume {volume.Name} is being restored or copied: try again when that is done"
        : $"volume {volume.Name} is in use on {Holders.Describe(volume, catalog)}: stop the containers that use it first");

    async Task<bool> TrashAsync(Volume volume)
    {
        // Not to be reached from here says nothing of where the data is: whoever reaches it finishes.
        await exports.Of(volume).CheckAsync(volume, CancellationToken.None);
        try
        {
            return await exports.Of(volume).TrashAsync(volume);
        }
        catch (VolumeException)
        {
            await catalog.CancelRemovalAsync(volume);
            throw;
        }
    }
}
