using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <summary>Create, and what it has in common with Remove.</summary>
internal sealed partial class VolumeService(
    ThisHost host, Settings settings, VolumeCatalog catalog, History history, VolumeLocks locks, ExportTable exports, MountService mounts, Trash trash, ILogger log)
{
    // A removal is a rename and two statements; one that takes much longer is a killed host's.
    bool _isShared;

    /// <summary>Makes a volume and its directory. An existing one with equal options, or any when no options are given, is success: engines repeat themselves.</summary>
    /// <exception cref="VolumeException">A name or option is not allowed, the volume exists with other options, or the directory cannot be made. Nothing is left.</exception>
    internal async Task CreateAsync(string? name, IReadOnlyDictionary<string, string?>? options, CancellationToken cancellation)
    {
        VolumeName.Check(name);
        var asked = Describe(name!, VolumeSpec.Parse(options, settings));
        using var turn = await locks.AcquireAsync(asked.Name, cancellation);
        if (await ExistsAsync(asked, options, cancellation)) return;
        CheckShared(asked);
        // From here to the row no other host can know of the directory, unless it makes the same volume at this moment.
        var made = await exports.Of(asked).MakeAsync(asked, cancellation);
        // What was there before may be another volume's.
        if (!made) await Aliases.CheckAsync(catalog, exports, asked, cancellation);
        bool created;
        try
        {
            cancellation.ThrowIfCancellationRequested();
            created = await catalog.TryCreateAsync(asked, history.Of(EventKind.Create, asked, detail: exports.Of(asked).SourceOf(asked)));
        }
        catch
        {
            // In a cluster the row may be there although its answer was lost, or another host may have made the same volume on it, and use it. Empty, it is in nobody's way.
            if (made && catalog.Scope == "local") await exports.Of(asked).UnmakeAsync(asked);
            throw;
        }

        if (!created)
        {
            // Another host was first with the name: the directory is its volume's.
            if (await ExistsAsync(asked, options, cancellation)) return;
            throw Overlaps(asked);
        }

        if (!made) await exports.Of(asked).TakeAsync(asked);
        LogCreated(asked.Name, exports.Of(asked).SourceOf(asked));
    }

    /// <summary>Whether the volume is there already and is what was asked for.</summary>
    async Task<bool> ExistsAsync(Volume asked, IReadOnlyDictionary<string, string?>? options, CancellationToken cancellation)
    {
        // Not as it was last known: it may have been removed since, and success would promise what is not there.
        var existing = await catalog.FindAsync(asked.Name, cancellation, mustBeCurrent: true);
        // Success must not mean a volume that is about to go, or not yet there: another host is waited for that is at it, and what a killed daemon began is finished.
        for (var began = Environment.TickCount64; existing?.State is VolumeState.Removing or VolumeState.Restoring; existing = await catalog.FindAsync(asked.Name, cancellation, mustBeCurrent: true))
        {
            if (catalog.IsAbandoned(existing) || Environment.TickCount64 - began > settings.Timings.OthersWork.TotalMilliseconds) await FinishAbandonedAsync(existing);
            else await Task.Delay(settings.Timings.OthersPause, cancellation);
        }

        if (existing is null) return false;
        await CheckSameAsync(existing, asked, options, cancellation);
        return true;
    }

    /// <summary>A cluster's new volume must not lie on a disk of this host alone, because the shared directory was not mounted when volman started.</summary>
    void CheckShared(Volume asked)
    {
        if (_isShared || asked.Backend != "local" || asked.Export.Length == 0) return;
        var others = catalog.Index.All.FirstOrDefault(v => v.IsLiving && v.Backend == asked.Backend);
        _isShared = others is null || others.Export == asked.Export || catalog.Index.All.Any(v => v.Backend == asked.Backend && v.Export == asked.Export);
        if (!_isShared)
        {
            throw new VolumeException($"volume {asked.Name} cannot be made: the data root {settings.DataRoot} is not the one in which the cluster's volumes lie (such as {others!.Name}): mount the shared directory there, and start volman again");
        }
    }

    static VolumeException Overlaps(Volume asked) => new($"volume {asked.Name} cannot have the directory {asked.Directory}, which overlaps that of another volume: choose another path");

    internal Volume Describe(string name, VolumeSpec spec)
    {
        var now = catalog.Now;
        return new Volume
        {
            Id = Guid.CreateVersion7(),
            Name = name,
            Backend = spec.Backend,
            Server = spec.Server,
            Export = spec.Backend == "nfs" ? spec.Export : exports.Local.RootId,
            Directory = spec.Path ?? name,
            Adopted = spec.Path is not null,
            Access = spec.Access,
            SizeBytes = spec.SizeBytes,
            Uid = spec.Uid,
            Gid = spec.Gid,
            Mode = spec.Mode,
            OnRemove = spec.OnRemove,
            CreatedAt = now,
            CreatedOnHost = host.Name,
            ProvisionedAt = spec.Path is null ? null : now,
            Options = spec.Options,
            Labels = spec.Labels,
        };
    }

    /// <exception cref="VolumeException">The volume is another than what was asked for, or was removed and is in use here still.</exception>
    async Task CheckSameAsync(Volume existing, Volume asked, IReadOnlyDictionary<string, string?>? options, CancellationToken cancellation)
    {
        if (!existing.IsLiving)
        {
            throw new VolumeException($"volume {asked.Name} was removed on another host while containers of this host use it ({Holders.Describe(existing, catalog)}): stop them first, then create it anew");
        }

        if (options is null || options.Count == 0 || EffectiveOptions.Difference(existing, asked) is not { Length: > 0 } difference) return;
        // Stacks and services go on asking for what they always asked for, whatever an operator has set since.
        var original = await OptionService.ReadOriginalAsync(catalog, existing, cancellation);
        if (EffectiveOptions.Difference(Describe(existing.Name, VolumeSpec.Parse(original, settings)), asked).Length == 0) return;
        throw new VolumeException($"volume {existing.Name} exists with other options ({difference}): use it as it is, or choose another name");
    }

    // All messages of a class in one file: of two, the generator takes now the one first and now the other, and no two builds are the same.
    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} created at {Path}")]
    partial void LogCreated(string volume, string path);

    [LoggerMessage(Level = LogLevel.Information, Message = "Volume {Volume} removed ({OnRemove})")]
    partial void LogRemoved(string volume, string onRemove);
}
