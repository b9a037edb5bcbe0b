using System.Diagnostics;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <summary>What was removed and is not deleted yet: it can be restored, or deleted before its time.</summary>
internal sealed partial class Trash(VolumeCatalog catalog, History history, VolumeLocks locks, ExportTable exports, ILogger log)
{
    /// <summary>Told when a trashed volume's time has come already.</summary>
    internal Action? PurgeDue { get; set; }

    /// <summary>The volumes in the trash, those first that were removed last.</summary>
    /// <exception cref="CatalogAwayException">It is not known now.</exception>
    internal async Task<List<Volume>> ListAsync(CancellationToken cancellation) =>
        [.. (await catalog.ReadTrashAsync(only: null, cancellation)).OrderByDescending(v => v.RemovedAt).ThenBy(v => v.Id)];

    /// <summary>Brings a volume back with its data, options and history, in one step for all hosts.</summary>
    /// <param name="which">Its id, or its name if no other one in the trash has that.</param>
    /// <param name="asName">The name that it shall have; null for its own.</param>
    /// <param name="dryRun">Only tells whether it could be done, and what it would be.</param>
    /// <returns>The volume, ready to be mounted.</returns>
    /// <exception cref="VolumeException">There is none, or its name or place is taken. Its data is still in the trash.</exception>
    internal async Task<Volume> RestoreAsync(string which, string? asName, bool dryRun, CancellationToken cancellation)
    {
        var began = Stopwatch.GetTimestamp();
        var trashed = await FindAsync(which, cancellation);
        try
        {
            return await RestoreAsync(trashed, asName ?? trashed.Name, dryRun, cancellation);
        }
        catch (VolumeException e) when (!dryRun)
        {
            history.RecordFailure(EventKind.Restore, asName ?? trashed.Name, null, e.Message, Stopwatch.GetElapsedTime(began));
            throw;
        }
    }

    async Task<Volume> RestoreAsync(Volume trashed, string name, bool dryRun, CancellationToken cancellation)
    {
        VolumeName.Check(name);
        if (trashed.State == VolumeState.Purging) throw BeingDeleted(trashed);
        if (name != trashed.Name)
        {
            // Under its own name it is again what a host that was cut off since takes it for. Under another one that host must know first, or a new volume of the old
            // name would be mounted in its place.
            if (!trashed.Mounts.IsEmpty) throw new VolumeException($"volume {trashed.Name} is still in use on {Holders.Describe(trashed, catalog)}: stop the containers that use it first, or restore it under its own name");
            await catalog.UntilHeardAsync(
                trashed.RemovedAt!.Value,
                lost => $"volume {trashed.Name} cannot be restored under another name now, for host {lost} was not heard of since its removal and may still use the old one: restore it under its own name, start volman on that host or, if it does not come back, run volman host evict {lost}",
                cancellation);
        }

        using var turn = await locks.AcquireAsync(name, cancellation);
        var entry = await exports.Of(trashed).FindTrashedAsync(trashed, cancellation)
            ?? throw new VolumeException($"the data of volume {trashed.Name} is not in the trash of {exports.Of(trashed).Name} any more: it cannot be restored");
        cancellation.ThrowIfCancellationRequested();
        var wanted = trashed with
        {
            Name = name,
            // What was adopted goes back to where it was found.
            Directory = trashed.Adopted ? trashed.Directory : name,
            State = VolumeState.Restoring,
            RemovedAt = Microseconds(catalog.Now),
        };
        // Looked for while nothing is begun: one that is made by the other name in this moment is not seen.
        await Aliases.CheckAsync(catalog, exports, wanted, cancellation);
        if (dryRun)
        {
            await CheckRestorableAsync(trashed, wanted, cancellation);
            return wanted;
        }

        var restoring = await catalog.BeginRestoreAsync(trashed, wanted) ?? throw await WhyNotAsync(trashed, wanted, cancellation);
        return await FinishRestoreAsync(restoring, trashed, entry);
    }

    async Task CheckRestorableAsync(Volume trashed, Volume wanted, CancellationToken cancellation)
    {
        var isRefused = await catalog.FindOldHostAsync(cancellation) is not null || await catalog.FindAsync(wanted.Name, cancellation) is { IsLiving: true };
        await catalog.ReadAsync(VolumeRows.OverlapsAny(wanted), _ => isRefused = true, cancellation);
        if (isRefused) throw await WhyNotAsync(trashed, wanted, cancellation);
        await exports.Of(wanted).CheckFreeAsync(wanted, cancellation);
    }

    /// <summary>Lets all data in the trash be deleted without waiting for its time.</summary>
    /// <returns>The volumes. What is mounted still is deleted when it is not any more.</returns>
    internal async Task<List<Volume>> PurgeAllAsync(CancellationToken cancellation)
    {
        var purged = new List<Volume>();
        foreach (var volume in await ListAsync(cancellation))
        {
            // What somebody restores at this moment is in the trash no more.
            if (volume.State == VolumeState.Purging || await catalog.MakeDueAsync(volume, history.Of(EventKind.PurgeOrder, volume))) purged.Add(volume);
        }

        PurgeDue?.Invoke();
        return purged;
    }

    /// <summary>Lets a volume's data be deleted without waiting for its time.</summary>
    /// <param name="which">Its id, or its name if no other one in the trash has that.</param>
    /// <param name="dryRun">Only tells which one it would be.</param>
    /// <returns>The volume. What is mounted still is deleted when it is not any more.</returns>
    /// <exception cref="VolumeException">There is none.</exception>
    internal async Task<Volume> PurgeAsync(string which, bool dryRun, CancellationToken cancellation)
    {
        var volume = await FindAsync(which, cancellation);
        if (dryRun) return volume;
        if (volume.State == VolumeState.Trashed && !await catalog.MakeDueAsync(volume, history.Of(EventKind.PurgeOrder, volume))) throw new VolumeException($"volume {volume.Name} ({volume.Id}) was changed at this moment: see volman trash ls");
        PurgeDue?.Invoke();
        return volume;
    }

    async Task<Volume> FindAsync(string which, CancellationToken cancellation)
    {
        var meant = Guid.TryParse(which, out var id) ? await catalog.ReadTrashAsync(id, cancellation) : [];
        if (meant.Count == 0) meant = (await ListAsync(cancellation)).FindAll(v => v.Name == which);
        if (meant.Exists(v => v.State == VolumeState.Trashed)) meant.RemoveAll(v => v.State == VolumeState.Purging);
        return meant.Count switch
        {
            1 => meant[0],
            0 => throw new NotInTrashException(which),
            _ => throw new VolumeException($"several volumes {which} are in the trash, say which by its id: {string.Join(", ", meant.Select(v => $"{v.Id} (removed {v.RemovedAt:u})"))}"),
        };
    }

    async Task<VolumeException> WhyNotAsync(Volume trashed, Volume wanted, CancellationToken cancellation)
    {
        if (await catalog.FindOldHostAsync(cancellation) is { } old)
        {
            return new VolumeException($"volume {trashed.Name} cannot be restored yet, for host {old.Name} runs volman {old.Version}, which does not know of restorations: upgrade it first or, if it does not come back, run volman host evict {old.Name}");
        }

        var now = (await catalog.ReadTrashAsync(trashed.Id, cancellation)).FirstOrDefault();
        return now?.State == VolumeState.Purging ? BeingDeleted(now) : new VolumeException(
            now is null || now.Revision != trashed.Revision ? $"volume {trashed.Name} was restored, deleted or let go by somebody else at this moment: see volman trash ls, then try again"
            : await catalog.FindAsync(wanted.Name, cancellation) is { IsLiving: true } ? $"there is a volume {wanted.Name} already: restore it under another name with --as"
            : $"volume {trashed.Name} cannot be restored to {exports.Of(wanted).SourceOf(wanted)}, which overlaps the directory of another volume: restore it under another name with --as");
    }

    static VolumeException BeingDeleted(Volume volume) => new($"the data of volume {volume.Name} is being deleted already: it cannot be restored");

    /// <summary>What every database keeps of a time.</summary>
    internal static DateTime Microseconds(DateTime time) => new(time.Ticks - time.Ticks % TimeSpan.TicksPerMicrosecond, time.Kind);

    // All messages of a class in one file: of two, the generator takes now the one first and now the other, and no two builds are the same.
    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} restored to {Path}")]
    partial void LogRestored(string volume, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The data of volume {Volume} was moved when another host had ended that already: it was moved back to {Place}")]
    partial void LogPutRight(string volume, string place);

    [LoggerMessage(Level = LogLevel.Error, Message = "The data of volume {Volume} was moved when another host had ended that already, and cannot be moved back; move it by hand from {From} to {To}: {Reason}")]
    partial void LogNotPutRight(string volume, string from, string to, string reason);
}

/// <summary>The trash has no such volume.</summary>
internal sealed class NotInTrashException(string which) : VolumeException($"there is no volume {Quoted.Text(which)} in the trash: see volman trash ls");
