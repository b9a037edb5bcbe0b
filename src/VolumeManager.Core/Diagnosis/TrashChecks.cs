using System.Runtime.CompilerServices;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>Catalog against the trash of one export.</summary>
internal sealed class TrashChecks(HostDaemon daemon, ExportPlace place)
{
    const string HalfDeleted = ".purging";

    internal async IAsyncEnumerable<Finding> LookAsync(List<Volume> rows, Export.Survey survey, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var entries = survey.Trashed.Select(name => (Name: name, Id: IdIn(name))).Where(e => e.Id is not null).ToList();
        var known = rows.Where(v => v.State != VolumeState.Gone).ToDictionary(v => v.Id);
        foreach (var (name, id) in entries.Where(e => !known.ContainsKey(e.Id!.Value)))
        {
            // The rows were read before the directory, or long after: a removal may have come between.
            if (await ReadAsync(id!.Value, cancellation) is { State: not VolumeState.Gone }) continue;
            var source = place.SourceOf($"{Export.Trash}/{name}");
            yield return new Finding(
                "trash-unknown", Severity.Warning, source, $"{source} is in the trash, and the catalog has no such volume: nobody will delete it",
                name.EndsWith(HalfDeleted, StringComparison.Ordinal) ? "its deletion had begun, so delete the rest" : $"if it is wanted move it to {place.Name} and adopt it with volman volume adopt, else delete it")
            { Id = id };
        }

        foreach (var name in survey.Trashed.Where(name => name.EndsWith(Export.Copying, StringComparison.Ordinal)))
        {
            var source = place.SourceOf($"{Export.Trash}/{name}");
            yield return new Finding("copy-unfinished", Severity.Note, source, $"{source} is a copy of a volume that is not whole: some host makes it at this moment, or was killed while it did", "delete it when nobody moves or clones a volume");
        }

        var there = entries.Select(e => e.Id!.Value).ToHashSet();
        // One that was never mounted held nothing, and of two hosts that make and remove it at once the one may take the directory from the other.
        foreach (var volume in rows.Where(v => v is { State: VolumeState.Trashed, ProvisionedAt: not null } && !there.Contains(v.Id)))
        {
            if (await daemon.Locks.LookAsync(volume.Name, () => LookAtLostAsync(volume, cancellation), cancellation) is { } finding) yield return finding;
        }
    }

    async Task<Finding?> LookAtLostAsync(Volume suspect, CancellationToken cancellation)
    {
        if (await ReadAsync(suspect.Id, cancellation) is not { State: VolumeState.Trashed } volume || await place.Export.FindTrashedAsync(volume, cancellation) is not null) return null;
        return new Finding(
            "trash-missing", Severity.Warning, Finding.Of(volume), $"volume {volume.Name} ({volume.Id}) can be restored by the catalog, but its data is not in the trash of {place.Name}",
            $"volman trash empty {volume.Id} forgets it; if somebody has moved the data away, move it back")
        { Id = volume.Id };
    }

    async Task<Volume?> ReadAsync(Guid id, CancellationToken cancellation) => (await StoredVolumes.ReadAsync(daemon, $"id = {id}", cancellation)).FirstOrDefault();

    /// <summary>Which volume an entry is of (<see cref="Export.TrashName"/>); null where nobody but volman could have named it, and did not.</summary>
    static Guid? IdIn(string entry)
    {
        var name = entry.EndsWith(HalfDeleted, StringComparison.Ordinal) ? entry[..^HalfDeleted.Length] : entry;
        return name.Length > 33 && name[^33] == '.' && Guid.TryParseExact(name[^32..], "N", out var id) ? id : null;
    }
}
