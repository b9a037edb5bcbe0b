using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>A directory in which volumes lie, as their rows name it, and the way to it.</summary>
/// <param name="Any">A volume that lies there, with its options; null where none does.</param>
internal sealed record ExportPlace(string Backend, string Server, string Path, Export Export, Volume? Any)
{
    static readonly Volume s_top = new() { Id = Guid.Empty, Name = "", Backend = "", Directory = "", CreatedAt = DateTime.UnixEpoch, CreatedOnHost = "" };

    /// <summary>What an operator knows it by: a directory, or a server and what it exports.</summary>
    internal string Name => SourceOf("") is var top && top.EndsWith(":/", StringComparison.Ordinal) ? top : top.TrimEnd('/');

    internal string SourceOf(string directory) => Export.SourceOf(s_top with { Directory = directory });

    /// <summary>A volume that lies there, or stands for one.</summary>
    internal Volume AnyOrTop => Any ?? s_top with { Backend = Backend, Server = Server, Export = Path };

    internal bool Has(Volume volume) => volume.Backend == Backend && volume.Server == Server && volume.Export == Path;

    /// <summary>This host's own directories, and all others in which volumes of the catalog lie.</summary>
    internal static async Task<IReadOnlyList<ExportPlace>> ListAsync(HostDaemon daemon, CancellationToken cancellation)
    {
        var (exports, settings) = (daemon.Exports, daemon.Settings);
        var volumes = daemon.Catalog.Index.All.ToList();
        try
        {
            volumes.AddRange(await daemon.Catalog.ReadTrashAsync(null, cancellation));
        }
        catch (CatalogAwayException)
        {
            // Those that are known are looked at.
        }

        volumes.RemoveAll(v => v.Fault is not null);
        List<ExportPlace> places = [new("local", "", exports.Local.RootId, exports.Local, volumes.Find(v => v.Backend == "local" && v.Export == exports.Local.RootId))];
        if (exports.Hosted is { } hosted)
        {
            places.Add(new("nfs", settings.NfsServer, settings.NfsExport, hosted, volumes.Find(v => v.Backend == "nfs" && v.Server == settings.NfsServer && v.Export == settings.NfsExport)));
        }

        // Volumes with options of their own have mounts of their own; what lies on the export is seen by any of them.
        foreach (var volume in volumes.Where(v => v.Backend == "nfs").DistinctBy(v => (v.Server, v.Export)))
        {
            if (!places.Exists(p => p.Has(volume))) places.Add(new("nfs", volume.Server, volume.Export, exports.Of(volume), volume));
        }

        return places;
    }
}
