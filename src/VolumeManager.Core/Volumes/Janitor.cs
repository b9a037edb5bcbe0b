using System.Diagnostics;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Usage;

namespace VolumeManager.Volumes;

/// <summary>Deletes what has had its time: trashed directories after their retention, and events, samples of usage and their days after theirs.</summary>
internal sealed partial class Janitor(Settings settings, VolumeCatalog catalog, History history, ExportTable exports, ILogger log)
{
    const int Batch = 1000;

    // A host without a battery-backed clock wakes up in the past, and jumps years ahead when the network tells it the time. Nothing that could be wanted back is deleted at once.
    bool ClockIsTrusted => Stopwatch.GetElapsedTime(_startedAt) >= TimeSpan.FromTicks(Math.Min(settings.TrashRetention.Ticks, TimeSpan.TicksPerHour));

    readonly long _startedAt = Stopwatch.GetTimestamp();

    // What was told of already: once an outage.
    HashSet<Export> _silent = [];
    HashSet<Guid> _failed = [];

    internal Task CleanAsync(CancellationToken cancellation) => catalog.AsJanitorAsync(async token =>
    {
        await PurgeTrashAsync(token);
        await PruneHistoryAsync(token);
        return _silent.Count == 0;
    }, cancellation);

    async Task PurgeTrashAsync(CancellationToken cancellation)
    {
        var silent = new HashSet<Export>();
        var failed = new HashSet<Guid>();
        for (List<Volume> due = []; (due = await catalog.ReadDueAsync(exports.Local.RootId, due.LastOrDefault(), Batch, cancellation)).Count > 0;)
        {
            foreach (var volume in due)
            {
                cancellation.ThrowIfCancellationRequested();
                // What shall not be kept is due by its removal, whatever the clock says.
                if (volume.PurgeAfter != volume.RemovedAt && !ClockIsTrusted) continue;
                try
                {
                    if (volume.State == VolumeState.Gone) await catalog.ForgetAsync(volume);
                    else await TryPurgeAsync(volume, silent, cancellation);
                }
                catch (Exception e) when (e is VolumeException or IOException or FormatException)
                {
                    failed.Add(volume.Id);
                    if (!_failed.Contains(volume.Id)) LogNotPurged(volume.Name, e.Message);
                }
            }
        }

        (_silent, _failed) = (silent, failed);
    }

    /// <param name="silent">The exports that have not answered in this pass: their other volumes are passed over.</param>
    async Task TryPurgeAsync(Volume volume, HashSet<Export> silent, CancellationToken cancellation)
    {
        var export = exports.Of(volume);
        if (silent.Contains(export)) return;
        try
        {
            await PurgeAsync(export, volume, cancellation);
        }
        catch (SilentExportException e)
        {
            silent.Add(export);
            if (!_silent.Contains(export)) LogSilent(export.Name, e.Message);
        }
    }

    async Task PurgeAsync(Export export, Volume due, CancellationToken cancellation)
    {
        // While its export does not answer nothing is deleted, and it can be wanted back.
        await AskAsync(export, due, cancellation);
        // From then on nobody restores it, so that half a volume is never given back.
        if (await catalog.BeginPurgeAsync(due) is not { } volume) return;
        var entries = await export.PurgeAsync(volume, cancellation);
        await catalog.SetGoneAsync(volume, history.Of(EventKind.Purge, volume, detail: $"{entries} files and directories deleted"));
        LogPurged(volume.Name, entries);
    }

    static async Task AskAsync(Export export, Volume volume, CancellationToken cancellation)
    {
        try
        {
            await export.CheckTrashAsync(volume, cancellation);
        }
        catch (VolumeException e) when (e is not SilentExportException)
        {
            throw new SilentExportException(e.Message);
        }
    }

    async Task PruneHistoryAsync(CancellationToken cancellation)
    {
        var before = catalog.Now - settings.HistoryRetention;
        foreach (var oldest in (FormattableString[])[EventRows.Prune(before, Batch), UsageRows.Prune(before, Batch)]) await PruneAsync(oldest, cancellation);
        if (await PruneAsync(UsageRows.PruneDays(DateOnly.FromDateTime(catalog.Now - settings.UsageDailyRetention), Batch), cancellation)) await catalog.PruneAsync(UsageRows.PruneLabels);
    }

    /// <returns>Whether there was anything to delete.</returns>
    async Task<bool> PruneAsync(FormattableString oldest, CancellationToken cancellation)
    {
        var isAny = false;
        while (!cancellation.IsCancellationRequested && await catalog.PruneAsync(oldest) > 0) isAny = true;
        return isAny;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume}: trashed data deleted, {Entries} files and directories")]
    partial void LogPurged(string volume, long entries);

    [LoggerMessage(Level = LogLevel.Error, Message = "Trashed data on {Export} cannot be deleted now: {Reason}")]
    partial void LogSilent(string export, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume}: trashed data cannot be deleted now: {Reason}")]
    partial void LogNotPurged(string volume, string reason);
}
