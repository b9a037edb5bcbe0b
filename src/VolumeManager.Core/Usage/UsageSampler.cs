using System.Diagnostics;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Usage;

/// <summary>
/// Measures the volumes whose time has come, one after the other and by one host of the cluster at a time. What is measured is written down at once, so that another host
/// goes on where this one ends.
/// </summary>
internal sealed partial class UsageSampler(ThisHost host, Settings settings, VolumeCatalog catalog, ExportTable exports, ILogger log)
{
    const int Batch = 500;

    // Volumes that could not be measured, and when they are tried again. Another host may be able to.
    readonly Dictionary<Guid, DateTime> _putOff = [];
    HashSet<Export> _silent = [];

    /// <summary>One pass over all that is due. It costs one question when nothing is.</summary>
    internal async Task SampleAsync(CancellationToken cancellation)
    {
        var before = catalog.Now - settings.UsageInterval;
        try
        {
            if ((await ReadDueAsync(before, after: null, limit: 1, cancellation)).Count == 0) return;
            await catalog.AsSamplerAsync(
                async token =>
                {
                    await MeasureDueAsync(before, token);
                    // What cannot be measured from here another host may reach.
                    return false;
                }, cancellation);
        }
        catch (VolumeException e)
        {
            LogEnded(e.Message);
        }
    }

    Task<List<Volume>> ReadDueAsync(DateTime before, Volume? after, int limit, CancellationToken cancellation) =>
        catalog.ReadUnmeasuredAsync(before, exports.Local.RootId, after, limit, cancellation);

    async Task MeasureDueAsync(DateTime before, CancellationToken cancellation)
    {
        var began = Stopwatch.GetTimestamp();
        foreach (var (id, _) in _putOff.Where(p => p.Value <= catalog.Now).ToList()) _putOff.Remove(id);
        var silent = new HashSet<Export>();
        var measured = 0;
        Volume? last = null;
        do
        {
            var due = await ReadDueAsync(before, last, Batch, cancellation);
            foreach (var volume in due)
            {
                if (await TryMeasureAsync(volume, silent, cancellation) is not { } usage) continue;
                var sample = new UsageSample { VolumeId = volume.Id, TakenAt = catalog.Now, Bytes = usage.Bytes, Files = usage.Files, HostId = host.Id };
                await catalog.KeepUsageAsync(volume, sample, before);
                measured++;
            }

            // Where a row that cannot be read stands in the order is not known: after such a one the same ones could come again.
            last = due.FindLast(v => v.Fault is null);
        }
        while (last is not null);

        _silent = silent;
        LogMeasured(measured, Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    /// <summary>Null for what is passed over: in this pass, because its export is silent, or for a while, because it cannot be measured itself.</summary>
    /// <param name="silent">The exports that have not answered in this pass.</param>
    async Task<TreeUsage?> TryMeasureAsync(Volume volume, HashSet<Export> silent, CancellationToken cancellation)
    {
        if (volume.Fault is not null || _putOff.ContainsKey(volume.Id)) return null;
        try
        {
            var export = exports.Of(volume);
            if (silent.Contains(export)) return null;
            try
            {
                return await export.MeasureAsync(volume, cancellation);
            }
            catch (VolumeException e)
            {
                silent.Add(export);
                // Once an outage.
                if (!_silent.Contains(export)) LogSilent(export.Name, e.Message);
            }
        }
        catch (Exception e) when (e is IOException or FormatException)
        {
            // Missing; in a form that this host does not read; or options of a later volman.
            _putOff[volume.Id] = catalog.Now + settings.UsageInterval;
            LogPutOff(volume.Name, e.Message);
        }

        return null;
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "Usage: {Count} volumes measured in {Seconds:0.0} s")]
    partial void LogMeasured(int count, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Usage: the volumes of {Export} are not measured for now: {Reason}")]
    partial void LogSilent(string export, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Usage: volume {Volume} cannot be measured now: {Reason}")]
    partial void LogPutOff(string volume, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Usage: measuring ends for now: {Reason}")]
    partial void LogEnded(string reason);
}
