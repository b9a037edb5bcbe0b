using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Linux;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <summary>Create and Remove.</summary>
internal sealed partial class VolumeService(
    ThisHost host, Settings settings, VolumeCatalog catalog, History history, VolumeLocks locks, ExportTable exports, MountService mounts, Trash trash, ILogger log)
{
    // A removal is a rename and two statements; one that takes much longer is a killed host's.
    static readonly TimeSpan s_othersTime = TimeSpan.FromSeconds(5);
    static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);
    bool _isShared;

    /// <summary>How history tells of a directory that was let go, before its place.</summary>
    internal const string RetainedAt = "the directory stays at ";

    /// <summary>Makes a volume and its directory. An existing one with equal options, or any when no options are given, is success: engines repeat themselves.</summary>
    /// <exception cref="VolumeException">A name or option is not allowed, the volume exists with other options, or the directory cannot be made. Nothing is left.</exception>
    internal async Task CreateAsync(string? name, IReadOnlyDictionary<string, string?>? options, CancellationToken cancellation)
    {
        VolumeName.Check(name);
        var asked = Describe(name!, VolumeSpec.Parse(options, settings));
        using var turn = await locks.AcquireAsync(asked.Name, cancellation);
        if (await ExistsAsync(asked, options, cancellation)) return;
        CheckShared(asked);
        // From here to the row no other host can know of the directory, unless it makes the same volume at this moment.
        var made = await exports.Of(asked).MakeAsync(asked, cancellation);
        // What was there before may be another volume's.
        if (!made) await CheckAliasesAsync(asked, cancellation);
        bool created;
        try
        {
            cancellation.ThrowIfCancellationRequested();
            created = await catalog.TryCreateAsync(asked, history.Of(EventKind.Create, asked, detail: exports.Of(asked).SourceOf(asked)));
        }
        catch
        {
            // In a cluster the row may be there although its answer was lost, or another host may have made the same volume on it, and use it. Empty, it is in nobody's way.
            if (made && catalog.Scope == "local") await exports.Of(asked).UnmakeAsync(asked);
            throw;
        }

        if (!created)
        {
            // Another host was first with the name: the directory is its volume's.
            if (await ExistsAsync(asked, options, cancellation)) return;
            throw Overlaps(asked);
        }

        if (!made) await exports.Of(asked).TakeAsync(asked);
        LogCreated(asked.Name, exports.Of(asked).SourceOf(asked));
    }

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
        for (var now = volume; !catalog.IsAbandoned(now) && Environment.TickCount64 - began < s_othersTime.TotalMilliseconds; volume = now)
        {
            await Task.Delay(s_pause, cancellation);
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

    /// <summary>Whether the volume is there already and is what was asked for.</summary>
    async Task<bool> ExistsAsync(Volume asked, IReadOnlyDictionary<string, string?>? options, CancellationToken cancellation)
    {
        var existing = await catalog.FindAsync(asked.Name, cancellation);
        // Success must not mean a volume that is about to go, or not yet there: another host is waited for that is at it, and what a killed daemon began is finished.
        for (var began = Environment.TickCount64; existing?.State is VolumeState.Removing or VolumeState.Restoring; existing = await catalog.FindAsync(asked.Name, cancellation))
        {
            if (catalog.IsAbandoned(existing) || Environment.TickCount64 - began > s_othersTime.TotalMilliseconds) await FinishAbandonedAsync(existing);
            else await Task.Delay(s_pause, cancellation);
        }

        if (existing is null) return false;
        await CheckSameAsync(existing, asked, options, cancellation);
        return true;
    }

    /// <summary>A cluster's new volume must not lie on a disk of this host alone, because the shared directory was not mounted when volman started.</summary>
    void CheckShared(Volume asked)
    {
        if (_isShared || asked.Backend != "local" || asked.Export.Length == 0) return;
        var others = catalog.Index.All.FirstOrDefault(v => v.IsLiving && v.Backend == asked.Backend);
        _isShared = others is null || others.Export == asked.Export || catalog.Index.All.Any(v => v.Backend == asked.Backend && v.Export == asked.Export);
        if (!_isShared)
        {
            throw new VolumeException($"volume {asked.Name} cannot be made: the data root {settings.DataRoot} is not the one in which the cluster's volumes lie (such as {others!.Name}): mount the shared directory there, and start volman again");
        }
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

    static VolumeException Overlaps(Volume asked) => new($"volume {asked.Name} cannot have the directory {asked.Directory}, which overlaps that of another volume: choose another path");

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

    internal Volume Describe(string name, VolumeSpec spec)
    {
        var now = catalog.Now;
        return new Volume
        {
            Id = Guid.CreateVersion7(),
            Name = name,
            Backend = spec.Backend,
            Server = spec.Server,
            Export = spec.Backend == "nfs" ? spec.Export : exports.Local.RootId,
            Directory = spec.Path ?? name,
            Adopted = spec.Path is not null,
            Access = spec.Access,
            SizeBytes = spec.SizeBytes,
            Uid = spec.Uid,
            Gid = spec.Gid,
            Mode = spec.Mode,
            OnRemove = spec.OnRemove,
            CreatedAt = now,
            CreatedOnHost = host.Name,
            ProvisionedAt = spec.Path is null ? null : now,
            Options = spec.Options,
            Labels = spec.Labels,
        };
    }

    /// <exception cref="VolumeException">The volume is another than what was asked for, or was removed and is in use here still.</exception>
    async Task CheckSameAsync(Volume existing, Volume asked, IReadOnlyDictionary<string, string?>? options, CancellationToken cancellation)
    {
        if (!existing.IsLiving)
        {
            throw new VolumeException($"volume {asked.Name} was removed on another host while containers of this host use it ({Holders.Describe(existing, catalog)}): stop them first, then create it anew");
        }

        if (options is null || options.Count == 0 || EffectiveOptions.Difference(existing, asked) is not { Length: > 0 } difference) return;
        // Stacks and services go on asking for what they always asked for, whatever an operator has set since.
        var original = await OptionService.ReadOriginalAsync(catalog, existing, cancellation);
        if (EffectiveOptions.Difference(Describe(existing.Name, VolumeSpec.Parse(original, settings)), asked).Length == 0) return;
        throw new VolumeException($"volume {existing.Name} exists with other options ({difference}): use it as it is, or choose another name");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} created at {Path}")]
    partial void LogCreated(string volume, string path);

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} removed ({OnRemove})")]
    partial void LogRemoved(string volume, string onRemove);
}
