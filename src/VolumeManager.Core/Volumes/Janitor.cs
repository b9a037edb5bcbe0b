using System.Diagnostics;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Usage;

namespace VolumeManager.Volumes;

/// <summary>Deletes what has had its time: trashed directories after their retention, and events and samples of usage after theirs.</summary>
internal sealed partial class Janitor(Settings settings, VolumeCatalog catalog, History history, ExportTable exports, ILogger log)
{
    const int Batch = 1000;

    // A host without a battery-backed clock wakes up in the past, and jumps years ahead when the network tells it the time. Nothing that could be wanted back is deleted at once.
    bool ClockIsTrusted => Stopwatch.GetElapsedTime(_startedAt) >= TimeSpan.FromTicks(Math.Min(settings.TrashRetention.Ticks, TimeSpan.TicksPerHour));

    readonly long _startedAt = Stopwatch.GetTimestamp();

    internal Task CleanAsync(CancellationToken cancellation) => catalog.AsJanitorAsync(async token =>
    {
        await PurgeTrashAsync(token);
        await PruneHistoryAsync(token);
    }, cancellation);

    async Task PurgeTrashAsync(CancellationToken cancellation)
    {
        foreach (var volume in await catalog.ReadDueAsync(exports.Local.RootId, Batch, cancellation))
        {
            cancellation.ThrowIfCancellationRequested();
            // What shall not be kept is due by its removal, whatever the clock says.
            if (volume.PurgeAfter != volume.RemovedAt && !ClockIsTrusted) continue;
            try
            {
                if (volume.State == VolumeState.Gone) await catalog.ForgetAsync(volume);
                else await PurgeAsync(volume, cancellation);
            }
            catch (Exception e) when (e is VolumeException or IOException)
            {
                LogNotPurged(volume.Name, e.Message);
            }
        }
    }

    async Task PurgeAsync(Volume due, CancellationToken cancellation)
    {
        // While its export does not answer nothing is deleted, and it can be wanted back.
        await exports.Of(due).CheckAsync(due, cancellation);
        // From then on nobody restores it, so that half a volume is never given back.
        if (await catalog.BeginPurgeAsync(due) is not { } volume) return;
        var entries = await exports.Of(volume).PurgeAsync(volume, cancellation);
        await catalog.SetGoneAsync(volume, history.Of(EventKind.Purge, volume, detail: $"{entries} files and directories deleted"));
        LogPurged(volume.Name, entries);
    }

    async Task PruneHistoryAsync(CancellationToken cancellation)
    {
        var before = catalog.Now - settings.HistoryRetention;
        foreach (var oldest in (FormattableString[])[EventRows.Prune(before, Batch), UsageRows.Prune(before, Batch)])
        {
            while (!cancellation.IsCancellationRequested && await catalog.PruneAsync(oldest) > 0)
            {
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume}: trashed data deleted, {Entries} files and directories")]
    partial void LogPurged(string volume, long entries);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume}: trashed data cannot be deleted now: {Reason}")]
    partial void LogNotPurged(string volume, string reason);
}
