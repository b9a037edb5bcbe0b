using System.Diagnostics;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;

namespace VolumeManager.Volumes;

/// <summary>Deletes what has had its time: trashed directories after their retention, and events after theirs.</summary>
internal sealed partial class Janitor(Settings settings, CatalogWriter catalog, History history, LocalBackend backend, ILogger log)
{
    const int Batch = 1000;

    // A host without a battery-backed clock wakes up in the past, and jumps years ahead when the network tells it the time. Nothing that could be wanted back is deleted at once.
    bool ClockIsTrusted => Stopwatch.GetElapsedTime(_startedAt) >= TimeSpan.FromTicks(Math.Min(settings.TrashRetention.Ticks, TimeSpan.TicksPerHour));

    readonly long _startedAt = Stopwatch.GetTimestamp();

    internal async Task CleanAsync(CancellationToken cancellation)
    {
        await PurgeTrashAsync(cancellation);
        await PruneHistoryAsync(cancellation);
    }

    async Task PurgeTrashAsync(CancellationToken cancellation)
    {
        foreach (var volume in await catalog.WriteAsync(db => VolumeRows.ReadDueAsync(db, DateTime.UtcNow, Batch), cancellation))
        {
            if (volume.OnRemove != OnRemove.Delete && !ClockIsTrusted) continue;
            try
            {
                var entries = await backend.PurgeAsync(volume, cancellation);
                var entry = history.Of(EventKind.Purge, volume, detail: $"{entries} files and directories deleted");
                await catalog.WriteAsync(async write => await VolumeRows.DeleteAsync(write, volume) + await History.AppendAsync(write, entry), cancellation);
                LogPurged(volume.Name, entries);
            }
            catch (Exception e) when (e is VolumeException or IOException)
            {
                LogNotPurged(volume.Name, e.Message);
            }
        }
    }

    async Task PruneHistoryAsync(CancellationToken cancellation)
    {
        var oldestKept = DateTime.UtcNow - settings.HistoryRetention;
        while (true)
        {
            // Ids grow with time, so only the oldest need be looked at, however long the history.
            var deleted = await catalog.WriteAsync(
                db => db.ExecuteAsync($"DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT {Batch}) AND at < {oldestKept}"), cancellation);
            if (deleted == 0) return;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume}: trashed data deleted, {Entries} files and directories")]
    partial void LogPurged(string volume, long entries);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume}: trashed data cannot be deleted now: {Reason}")]
    partial void LogNotPurged(string volume, string reason);
}
