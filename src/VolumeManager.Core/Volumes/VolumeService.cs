using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Linux;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <summary>Create and Remove.</summary>
internal sealed partial class VolumeService(
    ThisHost host, Settings settings, CatalogWriter catalog, History history, VolumeIndex index, VolumeLocks locks,
    LocalBackend backend, MountService mounts, ILogger log)
{
    /// <summary>Told when a trashed volume's time has come already.</summary>
    internal Action? PurgeDue { get; set; }

    /// <summary>Makes a volume and its directory. An existing one with equal options, or any when no options are given, is success: engines repeat themselves.</summary>
    /// <exception cref="VolumeException">A name or option is not allowed, the volume exists with other options, or the directory cannot be made. Nothing is left.</exception>
    internal async Task CreateAsync(string? name, IReadOnlyDictionary<string, string?>? options, CancellationToken cancellation)
    {
        VolumeName.Check(name);
        var asked = Describe(name!, VolumeSpec.Parse(options));
        using var turn = await locks.AcquireAsync(asked.Name, cancellation);
        // A removal that a killed daemon began is finished first: success must not mean a volume that is about to go.
        if (index.TryFind(asked.Name, out var existing) && existing.State == VolumeState.Removing) await FinishRemovalAsync(existing);
        if (index.TryFind(asked.Name, out existing))
        {
            CheckSame(existing, asked, options);
            return;
        }

        var made = await backend.MakeAsync(asked, cancellation);
        bool inserted;
        try
        {
            var entry = history.Of(EventKind.Create, asked, detail: backend.PathOf(asked));
            inserted = await catalog.WriteAsync(async db => await VolumeRows.InsertAsync(db, asked) && await History.AppendAsync(db, entry) == 1, cancellation);
        }
        catch
        {
            if (made) await backend.UnmakeAsync(asked);
            throw;
        }

        if (!inserted) throw new VolumeException($"volume {asked.Name} cannot have the directory {asked.Directory}, which overlaps that of another volume: choose another path");
        index.Put(asked);
        if (!made && !asked.Adopted) await backend.TakeAsync(asked);
        LogCreated(asked.Name, backend.PathOf(asked));
    }

    /// <summary>Removes a volume that nobody uses; its directory goes the way that its <c>on-remove</c> says. One that does not exist is success.</summary>
    /// <exception cref="VolumeException">It is in use, by whom is named, or its directory cannot be moved. Nothing is changed.</exception>
    internal async Task RemoveAsync(string name, CancellationToken cancellation)
    {
        using var turn = await locks.AcquireAsync(name, cancellation);
        if (!index.TryFind(name, out var volume)) return;
        if (!volume.Mounts.IsEmpty)
        {
            throw new VolumeException($"volume {name} is in use on {Holders.Describe(volume, host)}: stop the containers that use it first");
        }

        // The engine may have forgotten a container (live-restore) that the kernel still knows.
        if (Mounter.IsMounted(mounts.TargetOf(name)) && !await mounts.TryDetachAsync(volume))
        {
            throw new VolumeException($"volume {name} is in use on host {host.Name}: a process works in {mounts.TargetOf(name)}, end it first");
        }

        if (await mounts.IsHeldByContainerAsync(volume, cancellation))
        {
            throw new VolumeException($"volume {name} is in use on host {host.Name}: a container or another mount still has {backend.PathOf(volume)}, stop it first");
        }

        if (volume.State == VolumeState.Ready && !await catalog.WriteAsync(db => VolumeRows.TryBeginRemovalAsync(db, volume), cancellation))
        {
            throw new VolumeException($"volume {name} still has a mount in the catalog, whose release is not written down yet: try again in a moment");
        }

        await FinishRemovalAsync(volume with { State = VolumeState.Removing });
    }

    /// <summary>Takes a volume in state <c>removing</c> to its end. The caller holds its lock. A daemon that was killed halfway comes here again.</summary>
    internal async Task FinishRemovalAsync(Volume volume)
    {
        index.Put(volume);
        var now = DateTime.UtcNow;
        if (volume.OnRemove == OnRemove.Retain)
        {
            var entry = history.Of(EventKind.Remove, volume, detail: $"the directory stays at {backend.PathOf(volume)}");
            await catalog.WriteAsync(async db => await VolumeRows.DeleteAsync(db, volume) + await History.AppendAsync(db, entry), CancellationToken.None);
        }
        else
        {
            await TrashAsync(volume);
            var trashed = volume with
            {
                State = VolumeState.Trashed,
                RemovedAt = now,
                PurgeAfter = volume.OnRemove == OnRemove.Delete ? now : now + settings.TrashRetention,
            };
            var entry = history.Of(EventKind.Remove, volume, detail: $"in {LocalBackend.Trash}/{LocalBackend.TrashName(volume)} until {trashed.PurgeAfter:u}");
            await catalog.WriteAsync(async db => await VolumeRows.SetTrashedAsync(db, trashed) + await History.AppendAsync(db, entry), CancellationToken.None);
            if (trashed.PurgeAfter <= now) PurgeDue?.Invoke();
        }

        index.Remove(volume);
        LogRemoved(volume.Name, EnumText.Of(volume.OnRemove));
    }

    async Task TrashAsync(Volume volume)
    {
        try
        {
            await backend.TrashAsync(volume);
        }
        catch (VolumeException)
        {
            await catalog.WriteAsync(db => VolumeRows.CancelRemovalAsync(db, volume), CancellationToken.None);
            index.Put(volume with { State = VolumeState.Ready });
            throw;
        }
    }

    Volume Describe(string name, VolumeSpec spec)
    {
        var now = DateTime.UtcNow;
        return new Volume
        {
            Id = Guid.CreateVersion7(),
            Name = name,
            Backend = spec.Backend,
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

    static void CheckSame(Volume existing, Volume asked, IReadOnlyDictionary<string, string?>? options)
    {
        if (options is null || options.Count == 0) return;
        if (EffectiveOptions.Difference(existing, asked) is { Length: > 0 } difference)
        {
            throw new VolumeException($"volume {existing.Name} exists with other options ({difference}): use it as it is, or choose another name");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} created at {Path}")]
    partial void LogCreated(string volume, string path);

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} removed ({OnRemove})")]
    partial void LogRemoved(string volume, string onRemove);
}
