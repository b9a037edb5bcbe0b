using System.Runtime.CompilerServices;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>Catalog against the directories of one export: what should be there and is not, what is there and nobody knows, and whether it can be reached and written at all.
/// Nothing that holds data is ever deleted.</summary>
internal sealed class ExportChecks(HostDaemon daemon, ExportPlace place)
{
    readonly Export _export = place.Export;

    internal async IAsyncEnumerable<Finding> LookAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        // That is told by others.
        if ((_export is LocalExport local && !local.IsThere) || (_export is HostExport hosted && (!hosted.IsThere || hosted.Refusal is not null))) yield break;
        var rows = await ReadRowsAsync(cancellation);
        var (survey, hindrance, trouble) = await ReachAsync(rows, cancellation);
        if (trouble is not null) yield return new Finding("export-unreachable", Severity.Error, place.Name, trouble, "see to what the reason names; the volumes there can be neither made nor mounted nor removed until then");
        if (hindrance is { } why) yield return new Finding("export-unwritable", Severity.Error, place.Name, $"volumes cannot be made in {place.Name} with the owners that they should have ({why.Why})", why.Cure);
        if (survey is null) yield break;
        foreach (var volume in rows.Where(v => survey.Missing.Contains(v.Id)))
        {
            if (await daemon.Locks.LookAsync(volume.Name, () => LookAtMissingAsync(volume, cancellation), cancellation) is { } finding) yield return finding;
        }

        await foreach (var finding in LookAtUnknownAsync(rows, survey, cancellation)) yield return finding;
        await foreach (var finding in new TrashChecks(daemon, place).LookAsync(rows, survey, cancellation)) yield return finding;
        foreach (var volume in rows.Where(v => v is { State: VolumeState.Ready, SizeBytes: not null }))
        {
            if (daemon.Catalog.Index.TryFind(volume.Name, out var known) && _export.SizeEnforced(known) is { } enforced && enforced.StartsWith("no: ", StringComparison.Ordinal))
            {
                yield return new Finding("size-unenforced", Severity.Note, Finding.Of(volume), $"the size of volume {volume.Name} is not enforced", enforced[4..]) { Id = volume.Id };
            }
        }
    }

    /// <summary>What lies there: all but volumes whose data is gone; of those that were let go of the data is there still.</summary>
    Task<List<Volume>> ReadRowsAsync(CancellationToken cancellation) => StoredVolumes.ReadAsync(
        daemon, $"(state <> 'gone' OR on_remove = 'retain') AND backend = {place.Backend} AND server = {place.Server} AND export = {place.Path}", cancellation);

    async Task<(Export.Survey? Survey, (string Why, string Cure)? Hindrance, string? Trouble)> ReachAsync(List<Volume> rows, CancellationToken cancellation)
    {
        try
        {
            await _export.ReachAsync(cancellation);
            var hindrance = await _export.FindHindranceAsync(rows, place.Any, cancellation);
            return (await _export.SurveyAsync(place.Any, [.. rows.Where(IsExpected)], cancellation), hindrance, null);
        }
        catch (VolumeException e)
        {
            return (null, null, e.Message);
        }
    }

    static bool IsExpected(Volume volume) => volume is { State: VolumeState.Ready, ProvisionedAt: not null, Fault: null };

    async Task<Finding?> LookAtMissingAsync(Volume suspect, CancellationToken cancellation)
    {
        if (await FindMissingAsync(suspect, cancellation) is not { } volume) return null;
        var source = _export.SourceOf(volume);
        return await _export.FindTrashedAsync(volume, cancellation) is { } entry
            ? new Finding(
                "directory-trashed", Severity.Error, Finding.Of(volume), $"the directory {source} of volume {volume.Name} is missing, and its data is in the trash although the volume was not removed",
                "moves the data back to its place")
            { Id = volume.Id, Repair = token => daemon.Locks.RepairAsync(volume.Name, () => PutBackAsync(suspect, entry, token), token) }
            : new Finding(
                "directory-missing", Severity.Error, Finding.Of(volume), $"the directory {source} of volume {volume.Name} is missing", "mount its disk, or restore it from a backup; if the data is given up, remove the volume")
            { Id = volume.Id };
    }

    /// <returns>The volume as it is now; null when it is not missing any more.</returns>
    async Task<Volume?> FindMissingAsync(Volume suspect, CancellationToken cancellation) =>
        await daemon.Catalog.FindAsync(suspect.Name, cancellation) is { } volume && volume.Id == suspect.Id && IsExpected(volume) && !await _export.HasDirectoryAsync(volume, cancellation) ? volume : null;

    async Task PutBackAsync(Volume suspect, string entry, CancellationToken cancellation)
    {
        if (await FindMissingAsync(suspect, cancellation) is { } volume) (await _export.RestoreAsync(volume, entry))?.Dispose();
    }

    async IAsyncEnumerable<Finding> LookAtUnknownAsync(List<Volume> rows, Export.Survey survey, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var known = rows.Select(v => v.TopDirectory).ToHashSet(StringComparer.Ordinal);
        var unknown = survey.Directories.Where(name => !known.Contains(name)).ToList();
        if (unknown.Count > 0) unknown = [.. unknown.Except(await FindAliasedAsync(unknown, cancellation), StringComparer.Ordinal)];
        if (unknown.Count == 0) yield break;
        var retained = await ReadRetainedAsync(cancellation);
        foreach (var name in unknown)
        {
            if (retained.Contains(place.SourceOf(name)))
            {
                yield return new Finding("directory-retained", Severity.Note, place.SourceOf(name), $"{place.SourceOf(name)} was let go of with its volume, whose on-remove was retain", $"volman volume adopt takes it up again, or delete it when nobody needs it");
            }
            else if (await daemon.Locks.LookAsync(name, () => LookAtUnknownAsync(name, cancellation), cancellation) is { } finding)
            {
                yield return finding;
            }
        }
    }

    /// <summary>Those of the directories that volumes know by another name of this place.</summary>
    async Task<IEnumerable<string>> FindAliasedAsync(List<string> unknown, CancellationToken cancellation)
    {
        var elsewhere = await StoredVolumes.ReadAsync(
            daemon, $"(state <> 'gone' OR on_remove = 'retain') AND NOT (backend = {place.Backend} AND server = {place.Server} AND export = {place.Path})", cancellation);
        // With its options, which are a part of the way there.
        var suspects = elsewhere.Where(v => unknown.Contains(v.TopDirectory)).Select(v => daemon.Catalog.Index.TryFind(v.Name, out var whole) && whole.Id == v.Id ? whole : v);
        return (await Aliases.FindAsync(daemon.Exports, place.AnyOrTop, suspects, cancellation)).Same.Select(v => v.TopDirectory);
    }

    async Task<Finding?> LookAtUnknownAsync(string name, CancellationToken cancellation)
    {
        // A Create makes the directory first, and then the row.
        if (await daemon.Catalog.FindAsync(name, cancellation) is not null || (await ReadRowsAsync(cancellation)).Exists(v => v.TopDirectory == name)) return null;
        return new Finding(
            "directory-unknown", Severity.Warning, place.SourceOf(name), $"{place.SourceOf(name)} is the directory of no volume, living or removed",
            $"volman volume adopt makes a volume of it; or move it away. It is not deleted, for it may hold what a lost catalog knew");
    }

    /// <summary>The directories that volumes with on-remove=retain have left behind, as far back as history goes.</summary>
    async Task<HashSet<string>> ReadRetainedAsync(CancellationToken cancellation)
    {
        const string said = VolumeService.RetainedAt;
        var retained = new HashSet<string>(StringComparer.Ordinal);
        await daemon.Catalog.ReadAsync($"SELECT detail FROM events WHERE kind = 'remove' AND detail LIKE {said + "%"}", row => retained.Add(row.GetString(0)[said.Length..]), cancellation);
        return retained;
    }
}
