using System.Runtime.CompilerServices;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>Removals, restorations and purges that were begun and not ended.</summary>
internal sealed class RemovalChecks(HostDaemon daemon)
{
    static readonly TimeSpan s_overdue = TimeSpan.FromHours(1);
    readonly Timings _timings = daemon.Settings.Timings;

    internal async IAsyncEnumerable<Finding> LookAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var volume in daemon.Catalog.Index.All.Where(IsAbandoned).ToList())
        {
            if (await daemon.Locks.LookAsync(volume.Name, () => Task.FromResult(LookAtAbandoned(volume)), cancellation) is { } finding) yield return finding;
        }

        foreach (var volume in (await daemon.Catalog.ReadTrashAsync(null, cancellation)).Where(IsOverdue))
        {
            yield return new Finding(
                "trash-overdue", Severity.Warning, Finding.Of(volume), $"the data of volume {volume.Name} ({volume.Id}) should have been deleted at {(volume.PurgeAfter == volume.RemovedAt ? volume.RemovedAt : volume.PurgeAfter):u}, and still is in the trash",
                "has it deleted now; where that does not do, a host may be lost that could have it mounted, or its export does not answer: see volman's log")
            { Id = volume.Id, Repair = token => PurgeAsync(volume.Id, token) };
        }
    }

    bool IsAbandoned(Volume volume) => volume.Fault is null && volume.State is VolumeState.Removing or VolumeState.Restoring && daemon.Catalog.IsAbandoned(volume);

    /// <remarks>What is in the trash for its retention is deleted only by a host that has run for a while (<see cref="Janitor"/>).</remarks>
    bool IsOverdue(Volume volume) =>
        volume.PurgeAfter < daemon.Catalog.Now - s_overdue && (volume.PurgeAfter == volume.RemovedAt || volume.State == VolumeState.Purging || TimeSpan.FromMilliseconds(Environment.TickCount64 - daemon.StartedAt) > s_overdue * 2);

    Finding? LookAtAbandoned(Volume suspect) =>
        daemon.Catalog.Index.TryFind(suspect.Name, out var volume) && volume.Id == suspect.Id && IsAbandoned(volume)
            ? new Finding(
                volume.State == VolumeState.Removing ? "removal-unfinished" : "restore-unfinished", Severity.Warning, Finding.Of(volume),
                $"volume {volume.Name} has been {EnumText.Of(volume.State)} since {volume.RemovedAt:u}, and no host is at it", "takes it to its end")
            { Id = volume.Id, Repair = token => daemon.Reconciler.MendAsync(volume.Name, token) }
            : null;

    async Task PurgeAsync(Guid id, CancellationToken cancellation)
    {
        daemon.Trash.PurgeDue?.Invoke();
        for (var began = Environment.TickCount64; Environment.TickCount64 - began < _timings.PurgeWait.TotalMilliseconds; await Task.Delay(_timings.PurgePause, cancellation))
        {
            if ((await daemon.Catalog.ReadTrashAsync(id, cancellation)).Count == 0) return;
        }

        throw new VolumeException($"it was not deleted within {_timings.PurgeWait.TotalSeconds:0} s: see volman's log");
    }
}
