using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using VolumeManager.Catalog;
using VolumeManager.Mounts;
using VolumeManager.Usage;

namespace VolumeManager.Volumes;

/// <summary>
/// The volumes that this daemon knows, with their mounts, in memory. On one host that is the catalog itself; in a cluster it is what was last heard of it, with
/// this host's own mounts as this host knows them. A removed volume that is still mounted here is among them, so that its Unmount arrives.
/// </summary>
internal sealed class VolumeIndex(Guid hostId)
{
    readonly ConcurrentDictionary<string, Volume> _byName = new(StringComparer.Ordinal);

    // A volume may come out of the trash with another name than it went in, and who was told of the latter only has to let go of the former.
    readonly ConcurrentDictionary<Guid, string> _names = new();

    // The name before that one, while it may still be mounted here under it.
    readonly ConcurrentDictionary<Guid, string> _formerNames = new();

    /// <summary>In no order.</summary>
    internal IEnumerable<Volume> All => _byName.Select(pair => pair.Value).Where(IsThere);

    internal int Count => _byName.Count(pair => IsThere(pair.Value));

    internal bool TryFind(string name, [NotNullWhen(true)] out Volume? volume) => _byName.TryGetValue(name, out volume) && IsThere(volume);

    /// <summary>The volume under the name that it had before it was removed and restored under another one, if it is mounted here under that still.</summary>
    internal bool TryFindFormer(Volume volume, [NotNullWhen(true)] out Volume? former)
    {
        former = null;
        return _formerNames.TryGetValue(volume.Id, out var name) && name != volume.Name && TryFind(name, out former) && former.Id == volume.Id && former.IsMountedOn(hostId);
    }

    /// <summary>This host's mounts of a volume, whatever name they were made under.</summary>
    internal ImmutableArray<Mount> OwnOf(Guid id)
    {
        Volume? Known(ConcurrentDictionary<Guid, string> names) => names.TryGetValue(id, out var name) && _byName.TryGetValue(name, out var known) && known.Id == id ? known : null;
        return [.. new[] { Known(_names), Known(_formerNames) }.OfType<Volume>().DistinctBy(v => v.Name, StringComparer.Ordinal).SelectMany(v => v.Mounts).Where(IsOwn)];
    }

    /// <summary>Makes a committed change seen. The caller holds the volume's lock, and is the only one who changes volumes.</summary>
    internal void Put(Volume volume)
    {
        _names[volume.Id] = volume.Name;
        Set(volume, static changed => changed, static (known, changed) => known.Id == changed.Id ? changed with { UsedBytes = known.UsedBytes, UsedFiles = known.UsedFiles, SampledAt = known.SampledAt } : changed);
    }

    /// <summary>Gives a name its volume. The one that had it before is not known by it any more.</summary>
    Volume Set(Volume fresh, Func<Volume, Volume> first, Func<Volume, Volume, Volume> next)
    {
        Volume? before = null;
        var now = _byName.AddOrUpdate(
            fresh.Name,
            _ =>
            {
                before = null;
                return first(fresh);
            },
            (_, known) =>
            {
                before = known;
                return next(known, fresh);
            });
        if (before is not null && before.Id != now.Id) _names.TryRemove(new(before.Id, before.Name));
        // Under its former name it does not lose its present one.
        _names.TryAdd(now.Id, now.Name);
        return now;
    }

    /// <summary>Takes in what a volume was found to hold. Under no lock: a Mount that waits for its disk must not keep it waiting, and what others change of the volume
    /// meanwhile stays.</summary>
    internal void SetUsage(string name, UsageSample sample)
    {
        while (_byName.TryGetValue(name, out var known) && known.Id == sample.VolumeId
            && !_byName.TryUpdate(name, known with { UsedBytes = sample.Bytes, UsedFiles = sample.Files, SampledAt = sample.TakenAt }, known))
        {
        }
    }

    /// <summary>Takes in what the shared catalog said, unless something later is known. This host's own mounts stay as they are; and that the directory was there once, which the
    /// catalog may not have heard yet: one that is missing then is not made anew.</summary>
    /// <param name="anew">What was known before may be of another history: a backup, or a server that took over and had not heard all.</param>
    internal Volume Learn(Volume heard, bool anew = false)
    {
        // Under such a name nobody asks for it.
        if (!VolumeName.IsValid(heard.Name))
        {
            if (_names.TryGetValue(heard.Id, out var former) && _byName.TryGetValue(former, out var renamed) && renamed.Id == heard.Id) _byName.TryUpdate(former, renamed with { State = VolumeState.Gone, Revision = heard.Revision }, renamed);
            return heard;
        }

        if (_names.TryGetValue(heard.Id, out var name) && name != heard.Name && _byName.TryGetValue(name, out var before) && before.Id == heard.Id)
        {
            if (before.Revision > heard.Revision && !anew) return before;
            // What is mounted under its earlier name stays there until its Unmount arrives. Its data is in the new place.
            if (!TryFindFormer(heard, out _)) _formerNames[heard.Id] = name;
            _byName.TryUpdate(name, before with { State = VolumeState.Gone, Directory = heard.Directory, Revision = heard.Revision }, before);
        }

        var learned = Set(
            heard,
            fresh => With(fresh, []),
            (known, fresh) => known.Id == fresh.Id
                ? known.Revision > fresh.Revision && !anew ? known : With(fresh with { ProvisionedAt = fresh.ProvisionedAt ?? known.ProvisionedAt }, [.. known.Mounts.Where(IsOwn)])
                : known.IsLiving && known.Revision > fresh.Revision && !anew ? known : OfTwo(known, fresh));
        if (learned.Id == heard.Id) _names[heard.Id] = heard.Name;
        return learned;
    }

    /// <summary>Of two volumes of one name, a removed one and its successor, the successor counts; but while the removed one is mounted here it has to wait.</summary>
    Volume OfTwo(Volume known, Volume fresh) =>
        known.IsMountedOn(hostId) ? fresh.IsLiving ? known with { State = VolumeState.Gone } : known
        : fresh.IsLiving || !known.IsLiving ? With(fresh, []) : known;

    /// <summary>Takes in that the shared catalog had no such volume at that revision.</summary>
    internal void LearnGone(string name, long revision)
    {
        if (_byName.TryGetValue(name, out var known) && known.IsLiving && known.Revision <= revision) _byName.TryUpdate(name, known with { State = VolumeState.Gone }, known);
    }

    /// <summary>Drops removed volumes that are older news than any answer which may still be on its way.</summary>
    /// <param name="revision">All that was asked before the catalog had it has been answered.</param>
    internal void ForgetGone(long revision)
    {
        foreach (var pair in _byName.Where(pair => !IsThere(pair.Value) && pair.Value.Revision <= revision)) Forget(pair);
    }

    /// <summary>Takes in that the shared catalog has these volumes and no others.</summary>
    internal void LearnOnly(HashSet<Guid> living)
    {
        foreach (var pair in _byName.Where(pair => pair.Value.IsLiving && !living.Contains(pair.Value.Id))) _byName.TryUpdate(pair.Key, pair.Value with { State = VolumeState.Gone }, pair.Value);
        foreach (var pair in _byName.Where(pair => !IsThere(pair.Value))) Forget(pair);
    }

    void Forget(KeyValuePair<string, Volume> pair)
    {
        if (!_byName.TryRemove(pair)) return;
        _names.TryRemove(new(pair.Value.Id, pair.Key));
        _formerNames.TryRemove(new(pair.Value.Id, pair.Key));
    }

    /// <summary>This host's mounts of a volume, as they are from now on.</summary>
    /// <returns>The volume with them.</returns>
    internal Volume SetOwn(Volume volume, ImmutableArray<Mount> own) => Set(volume, fresh => With(fresh, own), (known, fresh) => With(known.Id == fresh.Id ? known : fresh, own));

    /// <summary>Puts a volume in the place of a removed one of its name, with this host's mounts.</summary>
    internal Volume Follow(Volume successor, ImmutableArray<Mount> own)
    {
        var following = With(successor, own);
        Put(following);
        return following;
    }

    internal void Remove(Volume volume)
    {
        if (_byName.TryRemove(volume.Name, out var removed)) _names.TryRemove(new(removed.Id, removed.Name));
    }

    internal bool IsOwn(Mount mount) => mount.HostId == hostId;

    bool IsThere(Volume volume) => volume.IsLiving || volume.IsMountedOn(hostId);

    Volume With(Volume volume, ImmutableArray<Mount> own) => volume with { Mounts = [.. volume.Mounts.Where(m => !IsOwn(m)), .. own] };

    internal async Task LoadAsync(CatalogConnection db)
    {
        var options = await ReadPairsAsync(db, $"SELECT volume_id, key, value FROM volume_options");
        var labels = await ReadPairsAsync(db, $"SELECT volume_id, key, value FROM volume_labels");
        var mounts = (await MountRows.ReadAllAsync(db)).ToLookup(m => m.VolumeId);
        await VolumeRows.ReadKnownAsync(db, volume =>
        {
            if (options.TryGetValue(volume.Id, out var o)) volume = volume with { Options = o };
            if (labels.TryGetValue(volume.Id, out var l)) volume = volume with { Labels = l };
            if (mounts.Contains(volume.Id)) volume = volume with { Mounts = [.. mounts[volume.Id]] };
            volume = StoredRow.Checked(volume);
            if (!VolumeName.IsValid(volume.Name)) return;
            // Of two volumes of one name that is shown which is mounted here.
            if (!_byName.TryGetValue(volume.Name, out var other) || !other.IsMountedOn(hostId)) Put(volume);
        });
    }

    internal static async Task<Dictionary<Guid, ImmutableDictionary<string, string>>> ReadPairsAsync(CatalogConnection db, FormattableString query)
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
