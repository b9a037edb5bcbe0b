using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;

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

    internal static async Task<VolumeIndex> LoadAsync(CatalogContext db)
    {
        var options = await GroupAsync(db.VolumeOptions.Select(o => new { o.VolumeId, o.Key, o.Value }).AsAsyncEnumerable(), o => (o.VolumeId, o.Key, o.Value));
        var labels = await GroupAsync(db.VolumeLabels.Select(l => new { l.VolumeId, l.Key, l.Value }).AsAsyncEnumerable(), l => (l.VolumeId, l.Key, l.Value));
        var mounts = (await db.Mounts.AsNoTracking().ToListAsync()).ToLookup(m => m.VolumeId);
        var byName = new ConcurrentDictionary<string, Volume>(StringComparer.Ordinal);
        await foreach (var volume in db.Volumes.AsNoTracking().Where(v => v.State != VolumeState.Trashed).AsAsyncEnumerable())
        {
            var whole = volume;
            if (options.TryGetValue(volume.Id, out var o)) whole = whole with { Options = o };
            if (labels.TryGetValue(volume.Id, out var l)) whole = whole with { Labels = l };
            if (mounts.Contains(volume.Id)) whole = whole with { Mounts = [.. mounts[volume.Id]] };
            byName[volume.Name] = whole;
        }

        return new VolumeIndex(byName);
    }

    static async Task<Dictionary<Guid, ImmutableDictionary<string, string>>> GroupAsync<T>(IAsyncEnumerable<T> rows, Func<T, (Guid Id, string Key, string Value)> read)
    {
        var groups = new Dictionary<Guid, ImmutableDictionary<string, string>>();
        await foreach (var row in rows)
        {
            var (id, key, value) = read(row);
            groups[id] = groups.GetValueOrDefault(id, ImmutableDictionary<string, string>.Empty).Add(key, value);
        }

        return groups;
    }
}
