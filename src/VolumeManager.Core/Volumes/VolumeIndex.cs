using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using VolumeManager.Catalog;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <summary>
/// All living volumes with their mounts, in memory: Get, List and Path are answered from here. This process alone writes the catalog, and puts each change
/// here when it is on disk and before it is acknowledged, so a reader sees what the catalog holds.
/// </summary>
internal sealed class VolumeIndex
{
    readonly ConcurrentDictionary<string, Volume> _byName;

    VolumeIndex(ConcurrentDictionary<string, Volume> byName) => _byName = byName;

    /// <summary>In no order.</summary>
    internal IEnumerable<Volume> All => _byName.Select(pair => pair.Value);

    internal int Count => _byName.Count;

    internal bool TryFind(string name, [NotNullWhen(true)] out Volume? volume) => _byName.TryGetValue(name, out volume);

    /// <exception cref="NoSuchVolumeException">There is none.</exception>
    internal Volume Find(string name) => TryFind(name, out var volume) ? volume : throw new NoSuchVolumeException(name);

    /// <summary>Makes a committed change seen. The caller holds the volume's lock.</summary>
    internal void Put(Volume volume) => _byName[volume.Name] = volume;

    internal void Remove(Volume volume) => _byName.TryRemove(volume.Name, out _);

    internal static async Task<VolumeIndex> LoadAsync(CatalogConnection db)
    {
        var options = await ReadPairsAsync(db, $"SELECT volume_id, key, value FROM volume_options");
        var labels = await ReadPairsAsync(db, $"SELECT volume_id, key, value FROM volume_labels");
        var mounts = (await MountRows.ReadAllAsync(db)).ToLookup(m => m.VolumeId);
        var byName = new ConcurrentDictionary<string, Volume>(StringComparer.Ordinal);
        await VolumeRows.ReadLivingAsync(db, volume =>
        {
            if (options.TryGetValue(volume.Id, out var o)) volume = volume with { Options = o };
            if (labels.TryGetValue(volume.Id, out var l)) volume = volume with { Labels = l };
            if (mounts.Contains(volume.Id)) volume = volume with { Mounts = [.. mounts[volume.Id]] };
            byName[volume.Name] = volume;
        });
        return new VolumeIndex(byName);
    }

    static async Task<Dictionary<Guid, ImmutableDictionary<string, string>>> ReadPairsAsync(CatalogConnection db, FormattableString query)
    {
        var pairs = new Dictionary<Guid, ImmutableDictionary<string, string>>();
        await db.ReadAsync(query, row =>
        {
            var id = row.GetGuid(0);
            pairs[id] = pairs.GetValueOrDefault(id, ImmutableDictionary<string, string>.Empty).Add(row.GetString(1), row.GetString(2));
        });
        return pairs;
    }
}
