using VolumeManager.Exports;

namespace VolumeManager.Volumes;

/// <content>What a Create would come to, and what the catalog alone cannot refuse.</content>
internal sealed partial class VolumeService
{
    /// <summary>What <see cref="CreateAsync"/> would do. Changes nothing: whether the disk or server lets the directory be made is known when it is.</summary>
    /// <returns>The volume as it would be, or as it is if it is there already and what was asked for.</returns>
    /// <exception cref="VolumeException">It would be refused.</exception>
    internal async Task<(Volume Volume, bool IsThere)> PlanAsync(string? name, IReadOnlyDictionary<string, string?>? options, CancellationToken cancellation)
    {
        VolumeName.Check(name);
        var asked = Describe(name!, VolumeSpec.Parse(options, settings));
        using var turn = await locks.AcquireAsync(asked.Name, cancellation);
        if (await catalog.FindAsync(asked.Name, cancellation) is { } existing)
        {
            // The real one waits for their end, or brings it about.
            if (existing.State is VolumeState.Removing or VolumeState.Restoring) throw IsBusy(existing);
            await CheckSameAsync(existing, asked, options, cancellation);
            return (existing, true);
        }

        CheckShared(asked);
        await exports.Of(asked).CheckMakeableAsync(asked, cancellation);
        var overlaps = false;
        await catalog.ReadAsync(VolumeRows.OverlapsAny(asked), _ => overlaps = true, cancellation);
        if (overlaps) throw Overlaps(asked);
        await Aliases.CheckAsync(catalog, exports, asked, cancellation);
        return (asked, false);
    }

    /// <summary>What <see cref="RemoveAsync"/> would do. Changes nothing.</summary>
    /// <returns>The volume that would be removed; null when there is none.</returns>
    /// <exception cref="VolumeException">It would be refused.</exception>
    internal async Task<Volume?> PlanRemovalAsync(string name, CancellationToken cancellation, Func<Volume, bool>? isMeant = null)
    {
        if (!VolumeName.IsValid(name)) return null;
        using var turn = await locks.AcquireAsync(name, cancellation);
        if (await catalog.FindAsync(name, cancellation) is not { } volume) return null;
        if (isMeant?.Invoke(volume) == false) throw new ChangedMeanwhileException(name);
        // What other hosts do with it only the catalog knows, and nothing is removed without it.
        await catalog.ReadAsync($"SELECT 1", _ => { }, cancellation);
        if (!volume.Mounts.IsEmpty) throw InUse(volume);
        if (volume.State == VolumeState.Restoring) throw IsBusy(volume);
        await CheckNotInContainersAsync(volume, cancellation);
        return volume;
    }
}
