using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Copies;

/// <summary>Move and Clone: volumes whose data is copied, compared, and only then believed in (docs/decisions/0021).</summary>
/// <remarks>The volume's lock is held at the beginning and at the end only, so that whoever wants the volume meanwhile is told at once why not.</remarks>
internal sealed partial class CopyService(
    Settings settings, VolumeCatalog catalog, History history, string host, VolumeLocks locks, ExportTable exports, VolumeService volumes, Trash trash, ILogger log)
{
    static readonly string[] s_placeKeys = ["backend", "server", "export", "path", "nfsopts"];
    readonly SyscallLane _comparisons = new("comparison", maxThreads: 4);

    /// <summary>Copies a volume that nobody uses to another server, export or backend, and switches it over. What was at the old place goes into the trash there.</summary>
    /// <param name="place">The options <c>backend</c>, <c>server</c>, <c>export</c> and <c>nfsopts</c> of the new place.</param>
    /// <param name="progress">Told as it goes on. What it throws ends the copy.</param>
    /// <param name="dryRun">Only tells where it would be.</param>
    /// <returns>The volume in its new place.</returns>
    /// <exception cref="VolumeException">It is in use, or could not be copied. It is where it was, as it was.</exception>
    internal async Task<Volume> MoveAsync(string name, IReadOnlyDictionary<string, string?> place, bool dryRun, Action<CopyProgress> progress, CancellationToken cancellation)
    {
        var volume = await FindAsync(name, cancellation);
        var wanted = Place(volume, place);
        if (exports.Of(wanted) == exports.Of(volume) && wanted.Directory == volume.Directory) throw new VolumeException($"volume {name} is at {exports.Of(volume).SourceOf(volume)} already: name another server, export or backend");
        await Aliases.CheckAsync(catalog, exports, wanted, cancellation);
        await exports.Of(wanted).CheckFreeAsync(wanted, cancellation);
        if (dryRun)
        {
            CheckUnused(volume);
            return wanted;
        }

        return await WhileHeldAsync(volume, async held =>
        {
            // From what it is since it is held: another host may have moved or changed it just before.
            volume = held.Volume with { State = VolumeState.Ready, RemovedAt = null };
            wanted = Place(volume, place);
            await catalog.UntilHeardAsync(
                // Later than that it is held: when it was asked for says nothing of when the database did it.
                catalog.Now,
                lost => $"volume {name} cannot be moved now, for host {lost} was not heard of since the volume was closed, and may have it mounted: start volman on that host or, if it does not come back, run volman host evict {lost}",
                held.Lost);
            await CopyAsync(volume, wanted, isQuiet: true, progress, held.Lost);
            var moved = await SettleAsync(name, wanted, async () =>
            {
                await held.SettleAsync();
                held.Lost.ThrowIfCancellationRequested();
                await exports.Of(wanted).CheckFreeAsync(wanted, held.Lost);
                held.Copy = wanted;
            }, () => SwitchAsync(volume, wanted with { RemovedAt = held.Volume.RemovedAt }), held.Lost);
            progress(new CopyProgress("done", 0, null));
            return moved;
        }, cancellation);
    }

    /// <summary>Makes a new volume with the data of another.</summary>
    /// <param name="options">Options of the new one that shall be others than the old one's.</param>
    /// <param name="isLive">Whether the old one may be in use: then the copy has what was there when it came by.</param>
    internal async Task<Volume> CloneAsync(string name, string newName, IReadOnlyDictionary<string, string?> options, bool isLive, bool dryRun, Action<CopyProgress> progress, CancellationToken cancellation)
    {
        VolumeName.Check(newName);
        var volume = await FindAsync(name, cancellation);
        if (await catalog.FindAsync(newName, cancellation) is not null) throw new VolumeException($"there is a volume {newName} already: choose another name");
        var wanted = VolumeSpec.Change(AsNew(volume, newName), options, settings);
        await Aliases.CheckAsync(catalog, exports, wanted, cancellation);
        await exports.Of(wanted).CheckFreeAsync(wanted, cancellation);
        if (!isLive || volume.State != VolumeState.Ready) CheckUnused(volume);
        if (dryRun) return wanted;
        if (!isLive) return await WhileHeldAsync(volume, held => MakeAsync(held.Volume, held.Lost), cancellation);
        return await MakeAsync(volume, cancellation);

        async Task<Volume> MakeAsync(Volume source, CancellationToken going)
        {
            await CopyAsync(source, wanted, isQuiet: !isLive, progress, going);
            await SettleAsync(newName, wanted, async () =>
            {
                await exports.Of(wanted).CheckFreeAsync(wanted, going);
                await CheckNoOldHostAsync(going);
            }, () => PutAsync(volume, wanted), going);
            progress(new CopyProgress("done", 0, null));
            return wanted;
        }
    }

    /// <summary>Makes the copy the volume's data, under its lock. A copy of which the catalog was not told yet is deleted if that cannot be.</summary>
    /// <param name="check">What must be so at that moment.</param>
    async Task<Volume> SettleAsync(string name, Volume copy, Func<Task> check, Func<Task<Volume>> settle, CancellationToken cancellation)
    {
        var isChecked = false;
        try
        {
            using var turn = await locks.AcquireAsync(name, cancellation);
            await check();
            isChecked = true;
            return await settle();
        }
        catch when (!isChecked)
        {
            await TryDropAsync(exports.Of(copy), copy);
            throw;
        }
    }

    /// <summary>Its row would cut off a host that knows of no restorations.</summary>
    async Task CheckNoOldHostAsync(CancellationToken cancellation)
    {
        if (await catalog.FindOldHostAsync(cancellation) is not { } old) return;
        throw new VolumeException($"volumes cannot be cloned while host {old.Name} runs volman {old.Version}: upgrade it first or, if it does not come back, run volman host evict {old.Name}");
    }

    async Task<Volume> FindAsync(string name, CancellationToken cancellation) =>
        VolumeName.IsValid(name) && await catalog.FindAsync(name, cancellation) is { IsLiving: true } volume ? volume : throw new NoSuchVolumeException(name);

    void CheckUnused(Volume volume)
    {
        if (volume.State != VolumeState.Ready || !volume.Mounts.IsEmpty) throw volumes.InUse(volume);
    }

    Volume Place(Volume volume, IReadOnlyDictionary<string, string?> place)
    {
        foreach (var key in place.Keys.Where(key => key is not ("backend" or "server" or "export" or "nfsopts"))) throw new VolumeException($"option {Quoted.Text(key)} does not say where a volume lies: use backend, server, export or nfsopts");
        var backend = place.GetValueOrDefault("backend") ?? volume.Backend;
        var options = volume.Options.Where(o => !s_placeKeys.Contains(o.Key)).ToDictionary(o => o.Key, o => (string?)o.Value, StringComparer.Ordinal);
        if (backend == volume.Backend && backend == "nfs")
        {
            (options["server"], options["export"]) = (volume.Server, volume.Export);
            if (volume.Options.TryGetValue("nfsopts", out var own)) options["nfsopts"] = own;
        }

        foreach (var (key, value) in place) options[key] = value;
        options["backend"] = backend;
        var spec = VolumeSpec.Parse(options.Where(o => o.Value is not null).ToDictionary(StringComparer.Ordinal), settings);
        return volume with
        {
            Backend = spec.Backend,
            Server = spec.Server,
            Export = spec.Backend == "nfs" ? spec.Export : exports.Local.RootId,
            Directory = volume.Name,
            Adopted = false,
            OnRemove = volume.Adopted ? spec.OnRemove : volume.OnRemove,
            Options = spec.Options,
            ProvisionedAt = catalog.Now,
            UsedBytes = null,
            UsedFiles = null,
            SampledAt = null,
        };
    }

    Volume AsNew(Volume volume, string name)
    {
        var now = catalog.Now;
        return volume with
        {
            Id = Guid.CreateVersion7(),
            Name = name,
            Directory = name,
            Adopted = false,
            OnRemove = volume.Adopted && !volume.Options.ContainsKey("on-remove") ? OnRemove.Trash : volume.OnRemove,
            Options = volume.Options.Where(o => o.Key != "path").ToDictionary(StringComparer.Ordinal),
            State = VolumeState.Ready,
            RemovedAt = null,
            PurgeAfter = null,
            Epoch = 1,
            Mounts = [],
            CreatedAt = now,
            CreatedOnHost = host,
            ProvisionedAt = now,
            UsedBytes = null,
            UsedFiles = null,
            SampledAt = null,
        };
    }

    /// <summary>Copies and compares. What was copied of a volume that could not be is deleted again.</summary>
    /// <param name="isQuiet">Nobody changes it meanwhile, so the copy must be the same.</param>
    async Task CopyAsync(Volume volume, Volume copy, bool isQuiet, Action<CopyProgress> progress, CancellationToken cancellation)
    {
        var (from, to) = (exports.Of(volume), exports.Of(copy));
        try
        {
            using var source = await from.OpenAsync(volume, cancellation);
            // Its containers may swap a directory for a link at any moment, and cp goes by paths.
            using var view = TreeView.TryOpen(source);
            if (view is null && !isQuiet) throw new VolumeException("this kernel cannot keep a copy from following links that a container swaps in meanwhile: stop its containers, or use Linux 5.14 or later");
            await to.StageAsync(copy, cancellation);
            var files = 0L;
            await to.FillAsync(copy, async target =>
            {
                // Who waits hears that it has begun: cp tells of many files at once, and of a large one late.
                progress(new CopyProgress("copying", 0, volume.UsedFiles));
                await TreeCopy.RunAsync(view ?? source, target, () => progress(new CopyProgress("copying", ++files, volume.UsedFiles)), cancellation);
                await _comparisons.RunAsync(() => TreeCopy.Sync(target), cancellation).WaitAsync(cancellation);
            }, cancellation);
            if (isQuiet)
            {
                using var target = await to.OpenStagedAsync(copy, cancellation);
                var compared = 0L;
                var comparison = new TreeComparison(() => progress(new CopyProgress("verifying", ++compared, files)), cancellation);
                // A server that falls silent keeps the thread, and nobody else.
                if (await _comparisons.RunAsync(() => comparison.Compare(source, target), cancellation).WaitAsync(cancellation) is { } difference) throw new VolumeException(difference);
            }

            await to.EndStagingAsync(copy);
        }
        catch (Exception e)
        {
            await TryDropAsync(to, copy);
            if (e is OperationCanceledException) throw;
            throw new VolumeException($"volume {volume.Name} was not copied to {to.SourceOf(copy)}, and nothing is changed: {e.Message}", e);
        }
    }

    async Task TryDropAsync(Export to, Volume copy)
    {
        try
        {
            await to.DropStagedAsync(copy);
        }
        catch (Exception e) when (e is VolumeException or IOException)
        {
            LogLeft(copy.Name, to.Name, e.Message);
        }
    }

    /// <summary>The caller holds the volume's lock, and the copy is whole.</summary>
    async Task<Volume> SwitchAsync(Volume volume, Volume wanted)
    {
        var (from, to) = (exports.Of(volume), exports.Of(wanted));
        var held = wanted with { State = VolumeState.Restoring, Epoch = volume.Epoch + 1 };
        var id = Guid.CreateVersion7();
        var left = volume with
        {
            Id = id,
            Name = $"{volume.Name[..Math.Min(volume.Name.Length, 200)]}.moved-{id.ToString("N")[^8..]}",
            State = VolumeState.Removing,
            RemovedAt = wanted.RemovedAt,
            // The operator's only other copy is not for an option to delete at once.
            OnRemove = volume.OnRemove == OnRemove.Retain ? OnRemove.Retain : OnRemove.Trash,
            Mounts = [],
        };
        var entry = history.Of(EventKind.Move, wanted, detail: $"from {from.SourceOf(volume)} to {to.SourceOf(wanted)}");
        var (made, now) = await catalog.ChangeAsync(CopyRows.Switch(held, left, OptionService.Compare(volume, wanted), host, entry), held, left);
        if (!made && now?.IsAt(held) != true)
        {
            await TryDropAsync(to, wanted);
            throw new VolumeException($"volume {volume.Name} cannot have {to.SourceOf(wanted)}, which overlaps the directory of another volume, or was changed by another host: nothing is changed");
        }

        var ready = await trash.PutInPlaceAsync(held, held, Export.TrashName(held), entry);
        LogMoved(volume.Name, from.SourceOf(volume), to.SourceOf(wanted));
        try
        {
            using var turn = await locks.AcquireAsync(left.Name, CancellationToken.None);
            await volumes.FinishRemovalAsync(left);
        }
        catch (Exception e) when (e is VolumeException or IOException)
        {
            // The volume is where it should be; what it has left behind is removed by the next pass that can.
            LogLeft(left.Name, from.Name, e.Message);
        }

        return ready;
    }

    /// <summary>The caller holds the new volume's lock, and the copy is whole. First the row, which says whose the place is: then nobody else's data can be there.</summary>
    async Task<Volume> PutAsync(Volume volume, Volume clone)
    {
        var export = exports.Of(clone);
        // From now on, for the copy may have taken hours: it is nobody else's for some minutes.
        var restoring = clone with { State = VolumeState.Restoring, RemovedAt = Trash.Microseconds(catalog.Now) };
        if (!await catalog.TryCreateAsync(restoring, history.Of(EventKind.Create, clone, detail: export.SourceOf(clone))))
        {
            await TryDropAsync(export, clone);
            throw new VolumeException($"there is a volume {clone.Name} by now, or {export.SourceOf(clone)} overlaps the directory of one: choose another name");
        }

        await trash.PutInPlaceAsync(restoring, restoring, Export.TrashName(restoring), history.Of(EventKind.Clone, clone, detail: $"of {volume.Name}"));
        LogCloned(volume.Name, clone.Name, export.SourceOf(clone));
        return clone;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} moved from {Old} to {New}")]
    partial void LogMoved(string volume, string old, string @new);

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} cloned as {Clone} at {Path}")]
    partial void LogCloned(string volume, string clone, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What is left of volume {Volume} on {Export} cannot be seen to now: {Reason}")]
    partial void LogLeft(string volume, string export, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} cannot be given back now, and is later: {Reason}")]
    partial void LogNotReleased(string volume, string reason);
}
