using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>A place where volumes lie, as this host sees it at this moment.</summary>
/// <param name="Volumes">How many volumes lie there.</param>
/// <param name="MountedVolumes">Those that this host has mounted.</param>
/// <param name="Trouble">Why they cannot be used now, in a sentence; null when nothing is known that speaks against it.</param>
internal sealed record ExportView(string Source, string Backend, int Volumes, int MountedVolumes, string? Trouble);

internal sealed record ExportsAnswer(IReadOnlyList<ExportView> Exports)
{
    internal static async Task<ExportsAnswer> OfAsync(HostDaemon daemon, CancellationToken cancellation)
    {
        var volumes = daemon.Catalog.Index.All.Where(v => v.IsLiving && v.Fault is null).ToLookup(daemon.Exports.Of);
        IEnumerable<Export> all = [daemon.Exports.Local, .. daemon.Exports.Hosted is { } hosted ? new[] { hosted } : [], .. volumes.Select(group => group.Key)];
        // All at once, for each silent server is waited for.
        return new ExportsAnswer([.. (await Task.WhenAll(all.Distinct().Select(async export => new ExportView(
            export.Source, export is LocalExport ? "local" : "nfs", volumes[export].Count(), volumes[export].Count(v => v.IsMountedOn(daemon.Host.Id)), await FindTroubleAsync(export, [.. volumes[export]], cancellation)))))
            .OrderBy(e => e.Source, StringComparer.Ordinal)]);
    }

    /// <summary>What the doctor looks at, too.</summary>
    static async Task<string?> FindTroubleAsync(Export export, IReadOnlyList<Volume> volumes, CancellationToken cancellation)
    {
        try
        {
            if (await export.FindTroubleAsync(cancellation) is { } trouble) return trouble;
            return await export.FindHindranceAsync(volumes, volumes.Count > 0 ? volumes[0] : null, cancellation) is { } hindrance ? $"volumes cannot be made there ({hindrance.Why}): {hindrance.Cure}" : null;
        }
        catch (VolumeException e)
        {
            return e.Message;
        }
    }
}
