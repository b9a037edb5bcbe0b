using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Mounts;

/// <summary>
/// Makes catalog and kernel agree: at start, after an engine's start, and on a period. The kernel is the truth for what is mounted here; a mount row that
/// nothing holds any more is dropped, a kernel mount without a row is taken down, and a removal or restoration that was cut off is finished.
/// </summary>
internal sealed partial class Reconciler(
    ThisHost host, Settings settings, VolumeCatalog catalog, History history, VolumeLocks locks,
    MountService mounts, VolumeService volumes, Exports.ExportTable exports, ILogger log)
{
    readonly VolumeIndex index = catalog.Index;

    EngineProcess? _kept;

    /// <summary>Before the first request: drops what an earlier boot, or an earlier daemon that was killed between two steps, left in the catalog.</summary>
    internal async Task DropStaleAsync(CancellationToken cancellation)
    {
        var claimed = index.All.Where(HasMountsHere).ToList();
        // Nobody waits for a server now: what of NFS is not seen the first pass looks at.
        var held = await mounts.LookForHeldAsync([.. claimed.Where(v => !Mounter.IsMounted(mounts.TargetOf(v.Name)))], cancellation);
        await Task.WhenAll(claimed.Select(v => DropAsync(
            v.Name, m => m.BootId != host.BootId || (!Mounter.IsMounted(mounts.TargetOf(v.Name)) && !held.MayHold(v.Name)), "nothing was mounted at the daemon's start")));
        // Somebody took mounts down behind our back: an engine that was told to disable its managed plugin by force. Containers may have ended since whose Unmount it
        // could not send, beside others that go on. Which those were nobody knows: so the claims until now end with the last container that holds the volume.
        if (index.All.Any(v => HasMountsHere(v) && !Mounter.IsMounted(mounts.TargetOf(v.Name)))) host.Engine.Raise();
    }

    /// <summary>One pass over everything. What fails for one volume is logged, and tried again in the next pass.</summary>
    internal async Task ReconcileAsync(CancellationToken cancellation)
    {
        await catalog.FlushAsync();
        KeepEngine();
        await MendAsync(_ => true, cancellation);
        await SeeToExportsAsync();
        await LearnLimitsAsync(cancellation);
    }

    /// <summary>What a pass does for one volume, or for what is mounted under that name, at once.</summary>
    internal Task MendAsync(string name, CancellationToken cancellation) => MendAsync(n => n == name, cancellation);

    async Task MendAsync(Predicate<string> isMeant, CancellationToken cancellation)
    {
        var meant = index.All.Where(v => isMeant(v.Name));
        await DropDeadEngineAsync(meant, cancellation);
        await MendUnmountedAsync(meant, cancellation);
        foreach (var volume in meant.Where(v => !v.IsLiving && HasMountsHere(v))) await TryAsync(volume.Name, FollowAsync, cancellation);
        foreach (var (name, options) in MountedHere().Where(m => isMeant(m.Name)))
        {
            if (!index.TryFind(name, out var volume) || !HasMountsHere(volume)) await TryAsync(name, DetachUnclaimedAsync, cancellation);
            else if (mounts.IsGivenUp(volume)) await TryAsync(name, DetachGivenUpAsync, cancellation);
            else if (!Mounter.HasFlags(options, volume.Access == AccessMode.ReadOnly)) await TryAsync(name, SetFlagsAsync, cancellation);
        }

        foreach (var volume in meant.Where(IsAbandoned)) await TryAsync(volume.Name, FinishAbandonedAsync, cancellation);
    }

    /// <summary>Writes down which process the engine is, after its generation: a daemon that was killed between the two counts an engine twice, which harms nothing.</summary>
    void KeepEngine()
    {
        if (host.Engine.Process is not { } engine || engine == _kept) return;
        try
        {
            engine.Write(settings.EngineFile, host.BootId);
            _kept = engine;
        }
        catch (IOException e)
        {
            LogNotSeen(settings.EngineFile, e.Message);
        }
    }

    /// <summary>Finds the mounts that a server does not know any more, and unmounts exports that are not needed. A server that is silent keeps nobody waiting.</summary>
    async Task SeeToExportsAsync()
    {
        var mounted = FindMounted();
        await Task.WhenAll(FindLostAsync(mounted), PatientlyAsync("exports", () => exports.UnmountIdleAsync(mounted)));
    }

    List<Volume> FindMounted()
    {
        var places = MountedHere().Select(m => m.Name).ToHashSet(StringComparer.Ordinal);
        return [.. index.All.Where(v => HasMountsHere(v) || places.Contains(v.Name))];
    }

    /// <summary>Asks the servers at once which mounts they know no more.</summary>
    internal Task FindLostAsync() => FindLostAsync(FindMounted());

    Task FindLostAsync(IReadOnlyList<Volume> mounted) => Task.WhenAll(exports.OnNfs(mounted).Select(FindLostAsync));

    Task FindLostAsync(IGrouping<Exports.NfsExport, Volume> export) => PatientlyAsync(export.Key.Name, async () =>
    {
        var lost = await export.Key.FindStaleAsync([.. export.Select(v => mounts.TargetOf(v.Name))], CancellationToken.None);
        foreach (var volume in export) mounts.SetLost(volume, lost.Contains(mounts.TargetOf(volume.Name)));
    });

    /// <summary>For Status, which asks no disk.</summary>
    async Task LearnLimitsAsync(CancellationToken cancellation)
    {
        var limited = index.All.Where(v => v.IsLiving && v.SizeBytes is not null).GroupBy(exports.Of).ToList();
        await Task.WhenAll(limited.Select(export => PatientlyAsync(export.Key.Name, () => export.Key.LearnLimitsAsync([.. export], cancellation))));
    }

    async Task PatientlyAsync(string what, Func<Task> see)
    {
        try
        {
            await see().WaitAsync(settings.Timings.ReconcileStep);
        }
        catch (Exception e) when (e is TimeoutException or VolumeException or IOException)
        {
            LogNotSeen(what, e.Message);
        }
    }

    /// <summary>Drops mounts of engines that have ended, once their successor has had time to take up its containers, unless a container still holds the volume.</summary>
    async Task DropDeadEngineAsync(IEnumerable<Volume> all, CancellationToken cancellation)
    {
        if (!IsGraceOver) return;
        var suspects = all.Where(v => v.Mounts.Any(IsDead)).ToList();
        if (suspects.Count == 0) return;
        var held = await mounts.FindHeldAsync(suspects, cancellation);
        await Task.WhenAll(suspects.Where(v => !held.MayHold(v.Name)).Select(v => DropAsync(v.Name, IsDead, "its engine has ended and no container holds it")));
    }

    bool IsGraceOver => Environment.TickCount64 - host.Engine.ActivatedAt >= settings.EngineGrace.TotalMilliseconds;

    bool IsDead(Mount m) => m.HostId == host.Id && m.EngineGeneration < host.Engine.Current;

    /// <summary>Whether claims of the volume are an earlier engine's, whose successor has had time to take up its containers.</summary>
    internal bool HasDeadClaims(Volume volume) => IsGraceOver && volume.Mounts.Any(IsDead);

    /// <summary>What is claimed here but not mounted is mounted again if a container holds it, and dropped if none does.</summary>
    async Task MendUnmountedAsync(IEnumerable<Volume> all, CancellationToken cancellation)
    {
        var unmounted = all.Where(IsUnmounted).ToList();
        if (unmounted.Count == 0) return;
        var held = await mounts.FindHeldAsync(unmounted, cancellation);
        // At once, for some may lie on a server that is silent.
        await Task.WhenAll(unmounted.Where(v => held.Held.Contains(v.Name)).Select(v => TryAsync(v.Name, RemountAsync, cancellation)));
        await Task.WhenAll(unmounted.Where(v => !held.MayHold(v.Name)).Select(v => DropAsync(
            v.Name, _ => !Mounter.IsMounted(mounts.TargetOf(v.Name)), "it is not mounted and no container holds it")));
    }

    internal bool IsUnmounted(Volume volume) => HasMountsHere(volume) && !mounts.IsGivenUp(volume) && !Mounter.IsMounted(mounts.TargetOf(volume.Name));

    /// <summary>Drops this host's claims of a volume that were made before a moment, if no container holds it.</summary>
    /// <param name="why">For the history.</param>
    internal async Task DropUnusedAsync(string name, DateTime before, string why, CancellationToken cancellation) => await TryAsync(
        name,
        async n =>
        {
            if (index.TryFind(n, out var volume) && !mounts.IsClaimedSince(volume, before) && !await mounts.IsHeldByContainerAsync(volume, cancellation)) await DropHeldAsync(n, m => m.MountedAt <= before, why);
        },
        cancellation);

    /// <summary>Whether this host has nothing but claims of a volume that another one has taken: nothing is mounted, and no container has it.</summary>
    internal async Task<bool> IsGivenUpEntirelyAsync(Volume volume, CancellationToken cancellation)
    {
        if (!mounts.IsGivenUp(volume) || Mounter.IsMounted(mounts.TargetOf(volume.Name))) return false;
        try
        {
            // An export that is not mounted cannot be recognised in a container.
            await exports.Of(volume).CheckAsync(volume, cancellation);
            return !await mounts.IsHeldByContainerAsync(volume, cancellation);
        }
        catch (VolumeException)
        {
            return false;
        }
    }

    /// <summary>Drops those claims. Not done in a pass: until its Unmount comes Status says of a volume that it was given up.</summary>
    internal Task DropGivenUpAsync(string name, CancellationToken cancellation) => TryAsync(
        name,
        async n =>
        {
            if (index.TryFind(n, out var volume) && await IsGivenUpEntirelyAsync(volume, cancellation)) await DropHeldAsync(n, _ => true, "another host has taken the volume and no container holds it");
        },
        cancellation);

    Task DropAsync(string name, Func<Mount, bool> isStale, string why) => TryAsync(name, n => DropHeldAsync(n, isStale, why), CancellationToken.None);

    async Task DropHeldAsync(string name, Func<Mount, bool> isStale, string why)
    {
        if (!index.TryFind(name, out var volume)) return;
        var stale = volume.Mounts.Where(m => m.HostId == host.Id && isStale(m)).ToList();
        if (stale.Count == 0) return;
        var left = volume with { Mounts = volume.Mounts.RemoveRange(stale) };
        if (!HasMountsHere(left) && Mounter.IsMounted(mounts.TargetOf(name))) await mounts.TryDetachAsync(volume);
        await catalog.DropAsync(volume, [.. stale.Select(m => (m, history.Of(EventKind.Reclaim, volume, m.CallerId, why, ended: m)))]);
        LogReclaimed(name, stale.Count, why);
    }

    async Task RemountAsync(string name)
    {
        if (!index.TryFind(name, out var volume) || !HasMountsHere(volume) || Mounter.IsMounted(mounts.TargetOf(name))) return;
        await mounts.AttachAsync(volume, CancellationToken.None);
        LogRemounted(name);
    }

    /// <summary>
    /// A volume was removed and made anew elsewhere while this host was cut off, and only then mounted here: what its containers have is the directory of the new one,
    /// which must not be taken for unused.
    /// </summary>
    async Task FollowAsync(string name)
    {
        if (!index.TryFind(name, out var volume) || volume.IsLiving || !HasMountsHere(volume)) return;
        if (await catalog.FindSuccessorAsync(volume) is not { } successor || !await exports.Of(successor).IsMountedAsync(successor, mounts.TargetOf(name), CancellationToken.None)) return;
        await catalog.FollowAsync(volume, successor, history.Of(
            EventKind.Conflict, successor, detail: "the volume was removed and created anew while this host was cut off; the containers of this host use the new one"));
        LogFollowed(name);
    }

    /// <summary>A daemon that was killed between the bind and its flags left a mount without them.</summary>
    async Task SetFlagsAsync(string name)
    {
        if (index.TryFind(name, out var volume) && HasMountsHere(volume)) await exports.Of(volume).SetMountFlagsAsync(volume, mounts.TargetOf(name));
    }

    async Task DetachUnclaimedAsync(string name)
    {
        if (index.TryFind(name, out var volume) && HasMountsHere(volume)) return;
        // This host may have lost what it knew of it. Its container goes on with its own mount, but the volume would seem to be free.
        if (await mounts.IsTargetHeldAsync(name, CancellationToken.None))
        {
            LogUnclaimed(name);
            return;
        }

        if (!await exports.UnmountAsync(mounts.TargetOf(name))) return;
        LogDetached(name);
    }

    /// <summary>Another host has the volume now. Containers of this host that still have it keep their own mounts, which only their end takes down.</summary>
    async Task DetachGivenUpAsync(string name)
    {
        if (index.TryFind(name, out var volume) && mounts.IsGivenUp(volume)) await mounts.TryDetachAsync(volume);
    }

    bool IsAbandoned(Volume volume) => volume.Fault is null && volume.State is VolumeState.Removing or VolumeState.Restoring && catalog.IsAbandoned(volume);

    async Task FinishAbandonedAsync(string name)
    {
        if (index.TryFind(name, out var volume) && IsAbandoned(volume)) await volumes.FinishAbandonedAsync(volume);
    }

    async Task TryAsync(string name, Func<string, Task> mend, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(settings.Timings.ReconcileStep);
        try
        {
            await MendHeldAsync(name, mend, patience.Token).WaitAsync(patience.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            LogFailed(name, "it is busy");
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogFailed(name, e.Message);
        }
    }

    async Task MendHeldAsync(string name, Func<string, Task> mend, CancellationToken cancellation)
    {
        using var turn = await locks.AcquireAsync(name, cancellation);
        await mend(name);
    }

    /// <summary>What is mounted where volumes are mounted, with its options in mountinfo.</summary>
    internal IEnumerable<(string Name, string Options)> MountedHere()
    {
        var top = host.MountRoot + "/";
        // Of mounts stacked at one place the last is the one that is seen.
        return MountInfo.Read().AsEnumerable().Reverse()
            .Where(m => m.MountPoint.StartsWith(top, StringComparison.Ordinal))
            .Select(m => (Name: m.MountPoint[top.Length..], m.Options))
            .Where(m => VolumeName.IsValid(m.Name))
            .DistinctBy(m => m.Name, StringComparer.Ordinal);
    }

    bool HasMountsHere(Volume volume) => volume.IsMountedOn(host.Id);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume}: {Count} mounts dropped, {Why}")]
    partial void LogReclaimed(string volume, int count, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} was not mounted although a container uses it: mounted again")]
    partial void LogRemounted(string volume);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} was removed and created anew while this host was cut off: the containers of this host use the new one")]
    partial void LogFollowed(string volume);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume} is mounted and a container of this host uses it, but no caller claims it: it stays mounted; restart that container")]
    partial void LogUnclaimed(string volume);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} was mounted although nothing uses it: unmounted")]
    partial void LogDetached(string volume);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{What} cannot be seen to now: {Reason}")]
    partial void LogNotSeen(string what, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume} cannot be reconciled now: {Reason}")]
    partial void LogFailed(string volume, string reason);
}
