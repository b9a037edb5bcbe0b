using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <summary>One option that is given another value.</summary>
/// <param name="Key">A label as <c>label.KEY</c>.</param>
/// <param name="Old">Null: it was not given.</param>
/// <param name="New">Null: it is not given any more.</param>
internal sealed record OptionDifference(string Key, string? Old, string? New)
{
    public override string ToString() => $"{Key}: {Shown(Old)} → {Shown(New)}";

    static string Shown(string? value) => value is null ? "unset" : Quoted.Text(value);
}

/// <summary>Changes options of volumes that are there, and remembers what they were (docs/decisions/0020).</summary>
internal sealed partial class OptionService(Settings settings, VolumeCatalog catalog, History history, string host, VolumeLocks locks, ExportTable exports, ILogger log)
{
    // What is in force for a mounted volume must be what it was mounted with.
    static readonly string[] s_onlyUnmounted = ["access", "nfsopts"];

    /// <param name="changes">Null takes an option back to its default.</param>
    /// <param name="dryRun">Only tells what would change.</param>
    /// <returns>The volume as it is then, and what is different.</returns>
    /// <exception cref="VolumeException">An option cannot be changed, or not now. Nothing is changed.</exception>
    internal async Task<(Volume Volume, IReadOnlyList<OptionDifference> Differences)> SetAsync(
        string name, IReadOnlyDictionary<string, string?> changes, bool dryRun, CancellationToken cancellation)
    {
        VolumeName.Check(name);
        using var turn = await locks.AcquireAsync(name, cancellation);
        var volume = await catalog.FindAsync(name, cancellation) is { IsLiving: true } found ? found : throw new NoSuchVolumeException(name);
        volume.CheckUsable();
        var changed = VolumeSpec.Change(volume, changes, settings);
        var differences = Compare(volume, changed);
        if (differences.Count == 0) return (volume, differences);
        if (differences.FirstOrDefault(d => s_onlyUnmounted.Contains(d.Key)) is { } fixedNow && !volume.Mounts.IsEmpty) throw InUse(volume, fixedNow.Key);
        if (dryRun) return (changed, differences);
        // A host that is cut off would mount it by what it knows, beside the one that has it to itself.
        if (changed.Access != volume.Access) await catalog.UntilHeardAsync(catalog.Now, lost => Unheard(name, lost), cancellation);
        var entry = history.Of(EventKind.Set, volume, detail: string.Join(", ", differences));
        var (made, now) = await catalog.ChangeAsync(OptionRows.Set(changed, differences, needsUnmounted: differences.Any(d => s_onlyUnmounted.Contains(d.Key)), host, entry), changed);
        if (!made || now is null) throw now is { State: VolumeState.Ready } ? InUse(now, differences[0].Key) : new VolumeException($"volume {name} is being removed, restored or moved: set its options when that is done");
        LogSet(name, entry.Detail!);
        if (now.SizeBytes != volume.SizeBytes) await LimitAsync(now, cancellation);
        return (now, differences);
    }

    /// <summary>The options with which a volume was made, before anybody changed them.</summary>
    /// <exception cref="CatalogAwayException">It is not known now.</exception>
    internal static async Task<Dictionary<string, string?>> ReadOriginalAsync(VolumeCatalog catalog, Volume volume, CancellationToken cancellation)
    {
        var original = AsGiven(volume).ToDictionary(o => o.Key, o => (string?)o.Value, StringComparer.Ordinal);
        await catalog.ReadAsync(OptionRows.ChangesOf(volume.Id), row =>
        {
            var key = row.GetString(0);
            if (row.IsDBNull(1)) original.Remove(key);
            else original[key] = row.GetString(1);
        }, cancellation);
        return original;
    }

    internal static List<OptionDifference> Compare(Volume volume, Volume changed)
    {
        var (before, after) = (AsGiven(volume), AsGiven(changed));
        return [.. before.Keys.Union(after.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .Select(key => new OptionDifference(key, before.GetValueOrDefault(key), after.GetValueOrDefault(key)))
            .Where(d => d.Old != d.New)];
    }

    /// <summary>What the user passed, labels included.</summary>
    internal static Dictionary<string, string> AsGiven(Volume volume) =>
        volume.Options.Concat(volume.Labels.Select(l => KeyValuePair.Create(VolumeSpec.LabelPrefix + l.Key, l.Value))).ToDictionary(StringComparer.Ordinal);

    /// <summary>At once, for who asks for more room has none. Where that fails the next mount does it.</summary>
    async Task LimitAsync(Volume volume, CancellationToken cancellation)
    {
        try
        {
            await exports.Of(volume).LimitAsync(volume, cancellation);
        }
        catch (Exception e) when (e is VolumeException or IOException)
        {
            LogNotLimited(volume.Name, e.Message);
        }
    }

    static string Unheard(string name, string lost) =>
        $"option access of volume {name} cannot be changed now, for host {lost} is cut off and may mount the volume as it was: start volman on that host or, if it does not come back, run volman host evict {lost}";

    VolumeException InUse(Volume volume, string key) => new(
        $"option {key} of volume {volume.Name} cannot be changed while it is mounted, and it is in use on {Holders.Describe(volume, catalog)}: stop the containers that use it first");

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume}: options set, {Changes}")]
    partial void LogSet(string volume, string changes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume} gets its new size when it is next mounted: {Reason}")]
    partial void LogNotLimited(string volume, string reason);
}
