using VolumeManager.Catalog;
using VolumeManager.Exports;

namespace VolumeManager.Volumes;

/// <summary>A directory that is no volume's.</summary>
/// <param name="Directory">Relative to the data root or the export: the option <c>path</c>.</param>
/// <param name="Name">The name that it would have as a volume.</param>
/// <param name="Source">Where it is, in words that mean the same on every host.</param>
/// <param name="WhyNot">Why it cannot have that name; null when it can.</param>
internal sealed record FoundDirectory(string Directory, string Name, string Source, bool IsEmpty, string? WhyNot);

/// <summary>A volume whose directory is not there.</summary>
internal sealed record MissingDirectory(string Volume, string Source);

/// <summary>Compares a data root or an export with the catalog. Changes nothing: a directory is adopted by a Create with its <c>path</c>.</summary>
internal sealed class Adoption(Settings settings, VolumeCatalog catalog, ExportTable exports, VolumeService volumes)
{
    /// <param name="place">The options <c>backend</c>, <c>server</c>, <c>export</c> and <c>nfsopts</c>; none means where new volumes go.</param>
    /// <exception cref="VolumeException">There is no such place, or it cannot be read.</exception>
    internal async Task<(List<FoundDirectory> Found, List<MissingDirectory> Missing)> ScanAsync(IReadOnlyDictionary<string, string?> place, CancellationToken cancellation)
    {
        var any = volumes.Describe("any", VolumeSpec.Parse(place, settings));
        var export = exports.Of(any);
        var all = (await catalog.ListAsync(cancellation)).Where(v => v.IsLiving).ToList();
        var here = all.FindAll(v => v.IsBeside(any));
        var survey = await export.SurveyAsync(any, here.FindAll(v => v is { State: VolumeState.Ready, ProvisionedAt: not null }), cancellation);
        List<MissingDirectory> missing = [.. here.Where(v => survey.Missing.Contains(v.Id)).OrderBy(v => v.Name, StringComparer.Ordinal).Select(v => new MissingDirectory(v.Name, export.SourceOf(v)))];
        // Where a directory is called as one of another place is, both may be one.
        var aliases = await Aliases.FindAsync(exports, any, all.Where(v => survey.Directories.Contains(v.TopDirectory)), cancellation);
        here.AddRange(aliases.Same);
        var names = all.ToDictionary(v => v.Name, StringComparer.Ordinal);
        var found = new List<FoundDirectory>();
        await LookAsync("");
        return (found, missing);

        async Task LookAsync(string within)
        {
            foreach (var (name, isEmpty) in await export.ListDirectoriesAsync(any, within, cancellation))
            {
                var directory = within.Length == 0 ? name : $"{within}/{name}";
                if (here.Exists(v => v.Directory == directory)) continue;
                // Volumes lie further down: a volume of all of it would take them along.
                if (here.Exists(v => v.Directory.StartsWith(directory + "/", StringComparison.Ordinal))) await LookAsync(directory);
                else found.Add(Propose(directory, isEmpty));
            }
        }

        FoundDirectory Propose(string directory, bool isEmpty)
        {
            var (name, asVolume) = (directory.Replace('/', '-'), any with { Directory = directory });
            var whyNot = aliases.Unknown.FirstOrDefault(u => u.Volume.Overlaps(asVolume)) is { Volume: { } doubted, Why: var why }
                ? $"it may be that of volume {doubted.Name} at {exports.Of(doubted).SourceOf(doubted)}, which cannot be found out now ({why}): see to that or, if it is another one, choose a name with --as"
                : !VolumeName.IsValid(name) ? "this is no name for a volume: choose one with --as"
                : names.TryGetValue(name, out var other) ? $"there is a volume {name} at {exports.Of(other).SourceOf(other)}: choose another name with --as"
                : null;
            return new FoundDirectory(directory, name, export.SourceOf(asVolume), isEmpty, whyNot);
        }
    }
}
