using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Usage;

namespace VolumeManager.Volumes;

/// <summary>Deletes what has had its time: trashed directories after their retention, and events, samples of usage and their days after theirs.</summary>
internal sealed partial class Janitor(Settings settings, VolumeCatalog catalog, History history, ExportTable exports, ILogger log)
{
    const int Batch = 1000;

    readonly ClockWatch _clock = new(settings.Timings.Clock, () => catalog.Now);

    // What was told of already: once an outage.
    HashSet<Export> _silent = [];
    HashSet<Guid> _failed = [];

    /// <summary>Whether something may be deleted because it is older than that.</summary>
    bool MayJudgeBy(TimeSpan retention) => _clock.AgreedFor >= (retention < settings.Timings.ClockAgreement ? retention : settings.Timings.ClockAgreement);

    internal Task CleanAsync(CancellationToken cancellation)
    {
        _clock.Jumped ??= jump => LogJumped(jump, settings.Timings.ClockAgreement);
        // Also by a host that has nothing to clean now.
        _ = _clock.AgreedFor;
        return catalog.AsJanitorAsync(async token =>
        {
            await PurgeTrashAsync(token);
            await PruneHistoryAsync(token);
            return _silent.Count == 0;
        }, cancellation);
    }

    async Task PurgeTrashAsync(CancellationToken cancellation)
    {
        var silent = new HashSet<Export>();
        var failed = new HashSet<Guid>();
        Volume? last = null;
        do
        {
            var due = await catalog.ReadDueAsync(exports.Local.RootId, last, Batch, cancellation);
            foreach (var volume in due)
            {
                cancellation.ThrowIfCancellationRequested();
                // What shall not be kept is due by its removal, whatever the clock says.
                if (volume.PurgeAfter != volume.RemovedAt && !MayJudgeBy(settings.TrashRetention)) continue;
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

            // Where a row that cannot be read stands in the order is not known: after such a one the same ones could come again.
            last = due.FindLast(v => v.Fault is null);
        }
        while (last is not null);

        (_silent, _failed) = (silent, failed);
    }

    /// <param name="silent">The exports that have not answered in this pass: their other volumes are passed over.</param>
    async Task TryPurgeAsync(Volume volume, HashSet<Export> silent, CancellationToken cancellation)
    {
        volume.CheckUsable();
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
        await PruneAsync(settings.HistoryRetention, before => EventRows.Prune(before, Batch), cancellation);
        await PruneAsync(settings.HistoryRetention, before => UsageRows.Prune(before, Batch), cancellation);
        if (await PruneAsync(settings.UsageDailyRetention, before => UsageRows.PruneDays(DateOnly.FromDateTime(before), Batch), cancellation)) await catalog.PruneAsync(UsageRows.PruneLabels);
    }

    /// <param name="oldest">Deletes some of what is older than that moment.</param>
    /// <returns>Whether there was anything to delete.</returns>
    async Task<bool> PruneAsync(TimeSpan retention, Func<DateTime, FormattableString> oldest, CancellationToken cancellation)
    {
        var (isAny, before) = (false, catalog.Now - retention);
        while (!cancellation.IsCancellationRequested && MayJudgeBy(retention) && await catalog.PruneAsync(oldest(before)) > 0) isAny = true;
        return isAny;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The time of day has jumped by {Jump}: nothing is deleted because of its age for the next {Pause}")]
    partial void LogJumped(TimeSpan jump, TimeSpan pause);

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume}: trashed data deleted, {Entries} files and directories")]
    partial void LogPurged(string volume, long entries);

    [LoggerMessage(Level = LogLevel.Error, Message = "Trashed data on {Export} cannot be deleted now: {Reason}")]
    partial void LogSilent(string export, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume}: trashed data cannot be deleted now: {Reason}")]
    partial void LogNotPurged(string volume, string reason);
}
