namespace VolumeManager.Volumes;

/// <content>What a Create would come to.</content>
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
        return overlaps ? throw Overlaps(asked) : (asked, false);
    }
}
