using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Mounts;

/// <summary>
/// Makes catalog and kernel agree: at start, after an engine's start, and on a period. The kernel is the truth for what is mounted here; a mount row that
/// nothing holds any more is dropped, a kernel mount without a row is taken down, and a removal that was cut off is finished.
/// </summary>
internal sealed partial class Reconciler(
    ThisHost host, Settings settings, CatalogWriter catalog, History history, VolumeIndex index, VolumeLocks locks,
    MountService mounts, VolumeService volumes, Exports.LocalBackend backend, ILogger log)
{
    /// <summary>Before the first request: drops what an earlier boot, or an earlier daemon that was killed between two steps, left in the catalog.</summary>
    internal async Task DropStaleAsync(CancellationToken cancellation)
    {
        var claimed = index.All.Where(HasMountsHere).ToList();
        var held = await mounts.FindHeldAsync([.. claimed.Where(v => !Mounter.IsMounted(mounts.TargetOf(v.Name)))], cancellation);
        await Task.WhenAll(claimed.Select(v => DropAsync(
            v.Name, m => m.BootId != host.BootId || (!Mounter.IsMounted(mounts.TargetOf(v.Name)) && !held.Contains(v.Name)), "nothing was mounted at the daemon's start")));
    }

    /// <summary>One pass over everything. What fails for one volume is logged, and tried again in the next pass.</summary>
    internal async Task ReconcileAsync(CancellationToken cancellation)
    {
        await DropDeadEngineAsync(cancellation);
        foreach (var volume in index.All.Where(v => HasMountsHere(v) && !Mounter.IsMounted(mounts.TargetOf(v.Name)))) await TryAsync(volume.Name, RemountAsync, cancellation);
        foreach (var name in MountedNames()) await TryAsync(name, DetachUnclaimedAsync, cancellation);
        foreach (var volume in index.All.Where(v => v.State == VolumeState.Removing)) await TryAsync(volume.Name, FinishRemovalAsync, cancellation);
    }

    /// <summary>Drops mounts of engines that have ended, once their successor has had time to take up its containers, unless a container still holds the volume.</summary>
    async Task DropDeadEngineAsync(CancellationToken cancellation)
    {
        if (Environment.TickCount64 - host.Engine.ActivatedAt < settings.EngineGrace.TotalMilliseconds) return;
        var generation = host.Engine.Current;
        bool IsDead(Mount m) => m.HostId == host.Id && m.EngineGeneration < generation;
        var suspects = index.All.Where(v => v.Mounts.Any(IsDead)).ToList();
        if (suspects.Count == 0) return;
        var held = await mounts.FindHeldAsync(suspects, cancellation);
        await Task.WhenAll(suspects.Where(v => !held.Contains(v.Name)).Select(v => DropAsync(v.Name, IsDead, "its engine has ended and no container holds it")));
    }

    async Task DropAsync(string name, Func<Mount, bool> isStale, string why)
    {
        using var turn = await locks.AcquireAsync(name, CancellationToken.None);
        if (!index.TryFind(name, out var volume)) return;
        var stale = volume.Mounts.Where(m => m.HostId == host.Id && isStale(m)).ToList();
        if (stale.Count == 0) return;
        var left = volume.Mounts.RemoveRange(stale);
        if (!left.Any(m => m.HostId == host.Id) && Mounter.IsMounted(mounts.TargetOf(name))) await mounts.TryDetachAsync(volume);
        await catalog.WriteAsync(async db =>
        {
            foreach (var mount in stale)
            {
                await MountRows.DropAsync(db, mount);
                await History.AppendAsync(db, history.Of(EventKind.Reclaim, volume, mount.CallerId, why));
            }

            return true;
        }, CancellationToken.None);
        index.Put(volume with { Mounts = left });
        LogReclaimed(name, stale.Count, why);
    }

    async Task RemountAsync(string name)
    {
        if (!index.TryFind(name, out var volume) || !HasMountsHere(volume) || Mounter.IsMounted(mounts.TargetOf(name))) return;
        await backend.MountAsync(volume, mounts.TargetOf(name), CancellationToken.None);
        LogRemounted(name);
    }

    async Task DetachUnclaimedAsync(string name)
    {
        if (index.TryFind(name, out var volume) && HasMountsHere(volume)) return;
        if (!await backend.UnmountAsync(mounts.TargetOf(name))) return;
        LogDetached(name);
    }

    async Task FinishRemovalAsync(string name)
    {
        if (index.TryFind(name, out var volume) && volume.State == VolumeState.Removing) await volumes.FinishRemovalAsync(volume);
    }

    async Task TryAsync(string name, Func<string, Task> mend, CancellationToken cancellation)
    {
        try
        {
            using var turn = await locks.AcquireAsync(name, cancellation);
            await mend(name);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogFailed(name, e.Message);
        }
    }

    IEnumerable<string> MountedNames()
    {
        var top = host.MountRoot + "/";
        return MountInfo.Read()
            .Where(m => m.MountPoint.StartsWith(top, StringComparison.Ordinal))
            .Select(m => m.MountPoint[top.Length..])
            .Where(VolumeName.IsValid)
            .Distinct(StringComparer.Ordinal);
    }

    bool HasMountsHere(Volume volume) => volume.Mounts.Any(m => m.HostId == host.Id);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume}: {Count} mounts dropped, {Why}")]
    partial void LogReclaimed(string volume, int count, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} was not mounted although a container uses it: mounted again")]
    partial void LogRemounted(string volume);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} was mounted although nothing uses it: unmounted")]
    partial void LogDetached(string volume);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume} cannot be reconciled now: {Reason}")]
    partial void LogFailed(string volume, string reason);
}
