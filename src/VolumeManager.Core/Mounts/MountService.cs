using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Mounts;

/// <summary>Mount and Unmount: claim in the catalog, then the kernel; the kernel, then release. A crash between the two leaves what the reconciler can act on.</summary>
internal sealed partial class MountService(
    ThisHost host, VolumeCatalog catalog, History history, VolumeLocks locks, ExportTable exports, ILogger log)
{
    readonly ConcurrentDictionary<Guid, bool> _lost = new();
    readonly ConcurrentDictionary<Guid, DateTime> _claimed = new();

    /// <summary>Where the volume of that name is mounted on this host, or would be.</summary>
    internal string TargetOf(string name) => $"{host.MountRoot}/{name}";

    /// <summary>Whether another host has taken the volume since this host mounted it. It is handed to no caller of this host any more.</summary>
    internal bool IsGivenUp(Volume volume) => volume.IsTakenFrom(host.Id);

    /// <summary>Whether the volume's server did not know its mount on this host any more when it was last asked.</summary>
    internal bool IsLost(Volume volume) => _lost.ContainsKey(volume.Id);

    internal void SetLost(Volume volume, bool isLost)
    {
        if (!isLost) _lost.TryRemove(volume.Id, out _);
        else if (_lost.TryAdd(volume.Id, true)) LogLostHere(volume.Name, exports.Of(volume).Name);
    }

    /// <summary>Whether some caller has claimed the volume after a moment, be it once more: its container may be coming up.</summary>
    internal bool IsClaimedSince(Volume volume, DateTime moment) => _claimed.TryGetValue(volume.Id, out var at) && at > moment;

    /// <summary>Claims the volume for a caller and makes sure that it is mounted.</summary>
    /// <param name="callerId">As the engine sent it; empty for engines before 1.12. The same id may come again before its Unmount: it is counted.</param>
    /// <param name="cancellation">The caller is gone or its deadline is over: what was done until then is undone, for it will send no Unmount.</param>
    /// <returns>The mount point.</returns>
    /// <exception cref="VolumeException">The volume is unknown, held exclusively, or cannot be mounted. No claim is left.</exception>
    internal async Task<string> MountAsync(string name, string callerId, CancellationToken cancellation)
    {
        using var turn = await locks.AcquireAsync(name, cancellation);
        var claimed = await ClaimAsync(name, callerId, cancellation);
        _claimed[claimed.Id] = catalog.Now;
        try
        {
            await AttachAsync(claimed, cancellation);
            cancellation.ThrowIfCancellationRequested();
            return TargetOf(name);
        }
        catch (Exception e)
        {
            LogUndone(name, callerId, e.Message);
            if (catalog.Index.TryFind(name, out var volume)) await UnmountHeldAsync(volume, callerId, e.Message);
            throw;
        }
    }

    /// <summary>Takes back one Mount of a caller; the last one of all callers unmounts. What is unknown is success, for the engine could do nothing with an error.</summary>
    /// <remarks>Nothing cancels it: an Unmount is sent once, and whoever sent it has left the volume already.</remarks>
    internal async Task UnmountAsync(string name, string callerId)
    {
        using var turn = await locks.AcquireAsync(name, CancellationToken.None);
        // What this host holds it knows without asking.
        if (!catalog.Index.TryFind(name, out var volume))
        {
            LogUnknown(name, callerId);
            return;
        }

        await UnmountHeldAsync(volume, callerId, failure: null);
    }

    async Task<Volume> ClaimAsync(string name, string callerId, CancellationToken cancellation)
    {
        // An engine asks Get before it mounts, so what is known is nearly always right, and the claim itself decides. What it finds changed is looked at once more.
        if (!catalog.Index.TryFind(name, out var volume)) volume = VolumeName.IsValid(name) ? await catalog.FindAsync(name, cancellation) : null;
        for (var attempt = 1; volume is not null; attempt++)
        {
            volume.CheckUsable();
            var (mount, entry) = await DescribeAsync(volume, callerId, cancellation);
            cancellation.ThrowIfCancellationRequested();
            var claim = await catalog.ClaimAsync(volume, mount, entry);
            if (claim.Made) return claim.Volume!;
            var now = claim.Volume;
            // Removed since it was read: there may be a new one of its name.
            if (now is { IsLiving: false }) now = await catalog.FindAsync(name, cancellation);
            if (now is not null && (attempt == 3 || (now.Id == volume.Id && now.Epoch == volume.Epoch))) throw Refused(now);
            volume = now;
        }

        throw new NoSuchVolumeException(name);
    }

    VolumeException Refused(Volume volume) => new(volume.State == VolumeState.Ready
        ? $"volume {volume.Name} has access {EnumText.Of(volume.Access)} and is mounted by {Holders.Describe(volume, catalog)}: stop that container first, or create the volume with access=shared"
        : volume.State == VolumeState.Restoring ? $"volume {volume.Name} is being restored or copied: try again when that is done"
        : $"volume {volume.Name} {(volume.IsLiving ? "is being removed" : "was removed on another host")}: create it anew, then mount it");

    async Task<(Mount Mount, Event Entry)> DescribeAsync(Volume volume, string callerId, CancellationToken cancellation)
    {
        var held = volume.Mounts.FirstOrDefault(m => m.HostId == host.Id && m.CallerId == callerId);
        var afresh = held is not null && held.EngineGeneration < host.Engine.Current && !await IsHeldByContainerAsync(volume, cancellation);
        var mount = new Mount
        {
            VolumeId = volume.Id,
            HostId = host.Id,
            CallerId = callerId,
            Count = afresh || held is null ? 1 : held.Count + 1,
            BootId = host.BootId,
            // One more of an earlier engine's claim stays an earlier engine's: old engines never send its last Unmount (moby before 20.10.26, live-restore).
            EngineGeneration = afresh || held is null ? host.Engine.Current : held.EngineGeneration,
            Epoch = volume.Epoch,
            MountedAt = held?.MountedAt ?? catalog.Now,
        };
        return (mount, history.Of(EventKind.Mount, volume, callerId, detail: afresh ? "the engine that held it has ended: counted afresh" : null));
    }

    /// <summary>Makes sure that a claimed volume is mounted, and that it is known to hold data from now on. The caller holds its lock.</summary>
    internal async Task AttachAsync(Volume volume, CancellationToken cancellation)
    {
        volume.CheckUsable();
        var began = Stopwatch.GetTimestamp();
        var target = TargetOf(volume.Name);
        var mounted = Mounter.IsMounted(target);
        if (mounted && await exports.Of(volume).IsLostAsync(target, cancellation))
        {
            LogLost(volume.Name, exports.Of(volume).Name);
            mounted = !await exports.Of(volume).UnmountAsync(target);
            SetLost(volume, mounted);
        }

        // Left there without a claim, for a process works in it: the volume may have been moved since, or another one has the name.
        if (mounted && volume.Mounts.Where(catalog.Index.IsOwn).Sum(m => m.Count) == 1 && !await exports.Of(volume).IsMountedAsync(volume, target, cancellation))
        {
            if (!await exports.Of(volume).UnmountAsync(target)) throw new VolumeException($"volume {volume.Name} cannot be mounted: a process works in {target}, where another directory than the volume's is mounted: end it, then try again");
            mounted = false;
        }

        if (!mounted) await exports.Of(volume).MountAsync(volume, target, cancellation);
        // Mounted but not provisioned: an earlier daemon was killed between the two.
        if (!mounted || volume.ProvisionedAt is null) await RecordAttachAsync(volume, began);
    }

    async Task RecordAttachAsync(Volume volume, long began)
    {
        var entry = history.Of(EventKind.Attach, volume, duration: Stopwatch.GetElapsedTime(began));
        // Before the caller can write: from now on a missing directory is lost data, not a volume that was never used.
        if (volume.ProvisionedAt is null) await catalog.SetProvisionedAsync(volume with { ProvisionedAt = entry.At }, entry);
        else catalog.Record(entry);
    }

    async Task UnmountHeldAsync(Volume volume, string callerId, string? failure)
    {
        if (FindDue(volume, callerId) is not { } mount)
        {
            LogUnknown(volume.Name, callerId);
            return;
        }

        var left = volume with { Mounts = mount.Count > 1 ? volume.Mounts.Replace(mount, mount with { Count = mount.Count - 1 }) : volume.Mounts.Remove(mount) };
        if (!left.IsMountedOn(host.Id))
        {
            await TryDetachAsync(volume);
            SetLost(volume, isLost: false);
            _claimed.TryRemove(volume.Id, out _);
        }

        var entry = history.Of(EventKind.Unmount, volume, callerId, error: failure, detail: failure is null ? null : "the mount was undone", ended: mount.Count == 1 ? mount : null);
        await catalog.ReleaseAsync(volume, mount, mount.Count - 1, entry);
    }

    /// <summary>The mount that an Unmount takes back. Engines of 1.12.0 mount with an id and unmount without: any mount of the host will do then.</summary>
    Mount? FindDue(Volume volume, string callerId) =>
        volume.Mounts.FirstOrDefault(m => m.HostId == host.Id && m.CallerId == callerId)
        ?? (callerId.Length == 0 ? volume.Mounts.FirstOrDefault(m => m.HostId == host.Id) : null);

    /// <summary>Unmounts the volume from this host. The caller holds its lock and has seen that no mount is left.</summary>
    /// <returns>False when it stays mounted for now; the reconciler tries again.</returns>
    internal async Task<bool> TryDetachAsync(Volume volume)
    {
        try
        {
            if (await exports.Of(volume).UnmountAsync(TargetOf(volume.Name))) return true;
            LogBusy(volume.Name, TargetOf(volume.Name));
        }
#pragma warning disable CA1031 // Whatever it is, the claim is taken back: an Unmount comes once. What stays mounted the reconciler unmounts.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogDetachFailed(volume.Name, e.Message);
        }

        return false;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Mount of {Volume} for {CallerId} is undone: {Reason}")]
    partial void LogUndone(string volume, string callerId, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Unmount of {Volume} for {CallerId}: no such mount, nothing to do")]
    partial void LogUnknown(string volume, string callerId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume} is lost to the containers of this host that use it: {Export} does not know its mount any more; restart them")]
    partial void LogLostHere(string volume, string export);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} is mounted afresh: {Export} does not know the old mount any more; restart the containers of this host that have used it until now")]
    partial void LogLost(string volume, string export);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} stays mounted at {Target} for now: a process of this host works in it")]
    partial void LogBusy(string volume, string target);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume} stays mounted for now: {Reason}")]
    partial void LogDetachFailed(string volume, string reason);
}
