using System.Runtime.CompilerServices;
using VolumeManager.Hosts;
using VolumeManager.Linux;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>Catalog against kernel: what is claimed on this host, and what is mounted on it. The repairs are those of the reconciler's passes, at once.</summary>
internal sealed class MountChecks(HostDaemon daemon)
{
    readonly VolumeIndex _index = daemon.Catalog.Index;
    readonly MountService _mounts = daemon.Mounts;

    internal async IAsyncEnumerable<Finding> LookAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        // What the last pass found may be a minute old.
        await daemon.Reconciler.FindLostAsync();
        var table = MountInfo.Read();
        foreach (var volume in _index.All.Where(v => HasClaims(v) && v.Fault is null).Where(v => IsSuspect(v, table)).ToList())
        {
            if (await daemon.Locks.LookAsync(volume.Name, () => LookAtClaimedAsync(volume, cancellation), cancellation) is { } finding) yield return finding;
        }

        foreach (var (name, _) in daemon.Reconciler.MountedHere().Where(m => IsUnclaimed(m.Name)).ToList())
        {
            if (await daemon.Locks.LookAsync(name, () => Task.FromResult(LookAtUnclaimed(name)), cancellation) is { } finding) yield return finding;
        }

        foreach (var place in ForeignPlaces(table))
        {
            yield return new Finding(
                "mount-foreign", Severity.Warning, place, $"{place} lies below the mount root, but no volume can be mounted there", $"see what it is, then umount {place}");
        }

        foreach (var place in Leftovers())
        {
            yield return new Finding("export-left", Severity.Note, place, $"an earlier daemon left the export at {place} mounted, and no volume that is mounted here lies on it", "unmounts it")
            {
                Repair = async _ =>
                {
                    if (Leftovers().Contains(place)) await daemon.Exports.UnmountLeftoverAsync(place);
                },
            };
        }

        if (!MountNamespaces.AreSeen) yield break;
        var unclaimed = _index.All.Where(v => v.IsLiving && !HasClaims(v)).ToList();
        foreach (var name in (await _mounts.LookForHeldAsync(unclaimed, cancellation)).Held)
        {
            if (await daemon.Locks.LookAsync(name, () => LookAtHeldAsync(name, cancellation), cancellation) is { } finding) yield return finding;
        }
    }

    bool HasClaims(Volume volume) => volume.IsMountedOn(daemon.Host.Id);

    bool IsUnclaimed(string name) => !(_index.TryFind(name, out var volume) && HasClaims(volume));

    IReadOnlyList<string> Leftovers() => daemon.Exports.FindLeftovers(_index.All.Where(HasClaims));

    bool IsSuspect(Volume volume, List<MountInfo> table) =>
        !volume.IsLiving || _mounts.IsGivenUp(volume) || _mounts.IsLost(volume) || daemon.Reconciler.IsUnmounted(volume) || daemon.Reconciler.HasDeadClaims(volume)
        || !HasFlags(volume, table) || !IsPlaced(volume, table);

    bool HasFlags(Volume volume, List<MountInfo> table) =>
        Mounter.HasFlags(table.FindLast(m => m.MountPoint == _mounts.TargetOf(volume.Name)).Options ?? "", volume.Access == AccessMode.ReadOnly);

    /// <summary>Whether what is mounted is the volume's directory, by the kernel's table alone. The directory itself says it for certain.</summary>
    bool IsPlaced(Volume volume, List<MountInfo> table) =>
        MountNamespaces.Location.Of(_mounts.TargetOf(volume.Name), table) == MountNamespaces.Location.Of(daemon.Exports.Of(volume).PathOf(volume), table);

    async Task<Finding?> LookAtClaimedAsync(Volume suspect, CancellationToken cancellation)
    {
        if (!_index.TryFind(suspect.Name, out var volume) || volume.Id != suspect.Id || !HasClaims(volume)) return null;
        var target = _mounts.TargetOf(volume.Name);
        Finding Found(string code, Severity severity, string problem, string cure, Func<CancellationToken, Task>? repair = null) =>
            new(code, severity, Finding.Of(volume), problem, cure) { Id = volume.Id, Repair = repair };
        Task MendAsync(CancellationToken token) => daemon.Reconciler.MendAsync(volume.Name, token);

        if (_mounts.IsGivenUp(volume))
        {
            var isUsed = !await daemon.Reconciler.IsGivenUpEntirelyAsync(volume, cancellation);
            return Found(
                "volume-taken", Severity.Error, $"another host has {(volume.IsExclusive ? "taken" : "moved")} volume {volume.Name} while this one was lost, and {(isUsed ? "containers of this host may still use it" : "its claims of this host were never taken back")}",
                isUsed ? "stop the containers of this host that use it" : "drops these claims, for no container uses the volume", isUsed ? null : token => daemon.Reconciler.DropGivenUpAsync(volume.Name, token));
        }

        if (!volume.IsLiving)
        {
            return Found("volume-removed", Severity.Error, $"volume {volume.Name} was removed on another host while containers of this host use it", "stop those containers, then restore the volume with volman volume restore if its data is wanted");
        }

        var callers = Callers(volume);
        if (daemon.Reconciler.IsUnmounted(volume))
        {
            var held = await _mounts.FindHeldAsync([volume], cancellation);
            var problem = $"volume {volume.Name} is claimed by {callers} of this host, but is not mounted at {target}";
            if (held.Unseen.Count > 0) return Found("mount-missing", Severity.Error, problem, $"see to {daemon.Exports.Of(volume).Name}: until its export can be mounted nobody knows whether a container uses the volume");
            return Found("mount-missing", Severity.Error, problem, held.Held.Count > 0 ? "mounts it again, for a container uses it" : "drops the claims, for no container uses it", MendAsync);
        }

        if (_mounts.IsLost(volume))
        {
            return Found("mount-stale", Severity.Error, $"{daemon.Exports.Of(volume).Name} does not know the mount of volume {volume.Name} on this host any more", "restart the containers of this host that use it");
        }

        if (daemon.Reconciler.HasDeadClaims(volume) && !await _mounts.IsHeldByContainerAsync(volume, cancellation))
        {
            return Found("claim-outdated", Severity.Warning, $"volume {volume.Name} is claimed for an engine that has ended, and no container uses it", "drops those claims", MendAsync);
        }

        if (await daemon.Exports.Of(volume).HasDirectoryAsync(volume, cancellation) && !await daemon.Exports.Of(volume).IsMountedAsync(volume, target, cancellation))
        {
            return Found(
                "mount-wrong", Severity.Error, $"what is mounted at {target} is not the directory of volume {volume.Name}: containers that start now get other data",
                "mounts the volume's directory instead, unless a container uses what is mounted now", token => daemon.Locks.RepairAsync(volume.Name, () => MountRightlyAsync(volume.Name, token), token));
        }

        return HasFlags(volume, MountInfo.Read()) ? null : Found(
            "mount-flags", Severity.Error, $"the mount of volume {volume.Name} lacks {(volume.Access == AccessMode.ReadOnly ? "ro, " : "")}nosuid or nodev", "gives it the flags that it should have", MendAsync);
    }

    string Callers(Volume volume) => volume.Mounts.Count(_index.IsOwn) is var n && n == 1 ? "one caller" : $"{n} callers";

    Finding? LookAtUnclaimed(string name) => IsUnclaimed(name) && Mounter.IsMounted(_mounts.TargetOf(name))
        ? new Finding("mount-unclaimed", Severity.Warning, $"volume {name}", $"{_mounts.TargetOf(name)} is mounted, but no caller of this host claims a volume of that name", "unmounts it, unless a process of the host works in it")
        {
            Repair = token => daemon.Reconciler.MendAsync(name, token),
        }
        : null;

    async Task<Finding?> LookAtHeldAsync(string name, CancellationToken cancellation) =>
        _index.TryFind(name, out var volume) && volume.IsLiving && !HasClaims(volume) && (await _mounts.LookForHeldAsync([volume], cancellation)).Held.Count > 0
            ? new Finding(
                "use-unclaimed", Severity.Warning, Finding.Of(volume), $"a container or another mount of this host has {daemon.Exports.Of(volume).SourceOf(volume)}, but no caller claims volume {name}, so other hosts take it for unused",
                "stop the container, or unmount what is not volman's: findmnt --all, or /proc/*/mountinfo, tells where it is")
            { Id = volume.Id }
            : null;

    /// <summary>Nothing is unmounted while a container has what is mounted now: it may be the only trace of where its data goes.</summary>
    async Task MountRightlyAsync(string name, CancellationToken cancellation)
    {
        if (!_index.TryFind(name, out var volume) || !HasClaims(volume) || !volume.IsLiving) return;
        var (export, target) = (daemon.Exports.Of(volume), _mounts.TargetOf(name));
        if (!await export.HasDirectoryAsync(volume, cancellation) || await export.IsMountedAsync(volume, target, cancellation)) return;
        if (await _mounts.IsTargetHeldAsync(name, cancellation)) throw new VolumeException($"a container uses what is mounted at {target} now: stop it first");
        if (!await _mounts.TryDetachAsync(volume)) throw new VolumeException($"a process of this host works in {target}: end it first");
        await _mounts.AttachAsync(volume, cancellation);
    }

    IEnumerable<string> ForeignPlaces(List<MountInfo> table)
    {
        var top = daemon.Host.MountRoot + "/";
        return table.Select(m => m.MountPoint).Where(p => p.StartsWith(top, StringComparison.Ordinal) && !VolumeName.IsValid(p[top.Length..])).Distinct(StringComparer.Ordinal);
    }
}
