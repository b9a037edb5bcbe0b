using System.Collections.Concurrent;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>Which export a volume lies on: this host's data root, or one of the NFS exports that it has met so far.</summary>
internal sealed class ExportTable
{
    readonly ConcurrentDictionary<(string Server, string Path, string Options), NfsExport> _nfs = new();
    readonly ConcurrentDictionary<(string Name, int Port), NfsServer> _servers = new();

    // By the text of a volume's own: every Get asks for a volume's export, and most volumes have none of their own.
    readonly ConcurrentDictionary<string, NfsOptions> _options = new(StringComparer.Ordinal);
    readonly Settings _settings;
    // Some passes of the reconciler: a burst of volumes that are made, used and removed again needs the export but once.
    readonly TimeSpan _idle;
    readonly long _startedAt = Stopwatch.GetTimestamp();
    readonly SyscallLane _leftovers = new("nfs leftovers", maxThreads: 2);
    // Apart from the disk's: what looks at the kernel alone, for volumes of any server, must not wait for a data root that hangs.
    readonly SyscallLane _lane = new("kernel", maxThreads: 8);
    readonly Mounter _mounter;
    readonly NoExport _none;

    /// <param name="exportDirectory">What this host serves, if it serves anything.</param>
    internal ExportTable(Settings settings, DirectoryRoot dataRoot, DirectoryRoot? exportDirectory = null)
    {
        _settings = settings;
        _idle = settings.ReconcileInterval * 5;
        _mounter = new Mounter(_lane);
        _none = new NoExport(_lane, settings.Timings);
        Local = new LocalExport(dataRoot, new SyscallLane("disk", maxThreads: 8), isShared: settings.Database.Length > 0, $"{settings.StateDirectory}/data-root", settings.Timings);
        if (exportDirectory is not null) Hosted = new HostExport(exportDirectory, new SyscallLane("export", maxThreads: 8), NfsAddress.Source(settings.NfsServer, settings.NfsExport), $"{settings.StateDirectory}/export-root", settings.Timings);
    }

    internal Timings Timings => _settings.Timings;

    internal LocalExport Local { get; }

    /// <summary>The NFS export that this host serves itself; null when it serves none.</summary>
    internal HostExport? Hosted { get; }

    internal Export Of(Volume volume)
    {
        if (volume.Fault is not null) return _none;
        if (volume.Backend != "nfs") return Local;
        if (Hosted is not null && volume.Server == _settings.NfsServer && volume.Export == _settings.NfsExport) return Hosted;
        var options = OptionsOf(volume);
        return _nfs.GetOrAdd((volume.Server, volume.Export, options.Text), Make, options);
    }

    /// <summary>A volume's own options over this host's, which are over the defaults.</summary>
    NfsOptions OptionsOf(Volume volume) => _options.GetOrAdd(
        volume.Options.GetValueOrDefault("nfsopts") ?? "", static (own, settings) => NfsOptions.Parse(settings.NfsOptions, own), _settings);

    NfsExport Make((string Server, string Path, string Options) key, NfsOptions options)
    {
        var server = _servers.GetOrAdd((key.Server, options.Port), static (s, timings) => new NfsServer(s.Name, s.Port, timings), Timings);
        return new NfsExport(server, key.Path, options, $"{_settings.NfsRoot}/{NameOf(key)}", Timings);
    }

    /// <summary>Readable in the table of mounts, and another for each set of options.</summary>
    static string NameOf((string Server, string Path, string Options) key)
    {
        var readable = string.Concat($"{key.Server}{key.Path}".Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' ? c : '-'));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{key.Server} {key.Path} {key.Options}")).AsSpan(0, 4));
        return $"{readable[..Math.Min(readable.Length, 100)]}-{hash}";
    }

    /// <summary>The server or disk that a volume of that name and server would wait for, for a message.</summary>
    internal string NameOf(Volume? volume, string? server) =>
        volume is not null ? Of(volume).Name
        : _settings.Backend == "nfs" || server is not null ? $"the NFS server {server ?? _settings.NfsServer}"
        : Local.Name;

    /// <summary>Unmounts NFS exports that no volume mounted here lies on and that were not needed for a while, and what earlier daemons left.</summary>
    /// <param name="mounted">The volumes that are mounted here.</param>
    internal async Task UnmountIdleAsync(IEnumerable<Volume> mounted)
    {
        // First what is mounted, then what is needed: what begins in between is needed.
        var table = MountInfo.Read();
        var needed = mounted.Select(Of).OfType<NfsExport>().Select(e => e.MountPoint).Concat(_nfs.Values.SelectMany(e => e.CopyMountPoints)).ToHashSet(StringComparer.Ordinal);
        var known = _nfs.Values.ToDictionary(e => e.MountPoint, StringComparer.Ordinal);
        foreach (var place in table.Select(m => m.MountPoint).Where(p => IsExport(p) && !needed.Contains(p)).ToList())
        {
            if (known.TryGetValue(place, out var export))
            {
                await export.UnmountIdleAsync(_idle);
            }
            else if (Stopwatch.GetElapsedTime(_startedAt) > _idle)
            {
                // Of another server or with other options, before a restart.
                await UnmountLeftoverAsync(place);
            }
        }
    }

    /// <summary>Mounts of exports that an earlier daemon left, and that no volume mounted here lies on.</summary>
    internal IReadOnlyList<string> FindLeftovers(IEnumerable<Volume> mounted)
    {
        var table = MountInfo.Read();
        var ours = mounted.Select(Of).OfType<NfsExport>().Concat(_nfs.Values).SelectMany(e => e.CopyMountPoints.Prepend(e.MountPoint)).ToHashSet(StringComparer.Ordinal);
        return [.. table.Select(m => m.MountPoint).Where(p => IsExport(p) && !ours.Contains(p)).Distinct(StringComparer.Ordinal)];
    }

    /// <summary>Takes such a mount away. Lazily, for its server may be silent.</summary>
    internal Task UnmountLeftoverAsync(string place) => _leftovers.RunAsync(() => LibC.Umount2(place, LibC.MNT_DETACH | LibC.UMOUNT_NOFOLLOW), CancellationToken.None);

    bool IsExport(string mountPoint) => Path.GetDirectoryName(mountPoint) == _settings.NfsRoot;

    /// <summary>For each NFS export with volumes mounted here, those volumes.</summary>
    internal IEnumerable<IGrouping<NfsExport, Volume>> OnNfs(IEnumerable<Volume> mounted) =>
        mounted.Where(v => Of(v) is NfsExport).GroupBy(v => (NfsExport)Of(v));

    /// <summary>Unmounts what no known volume has at <paramref name="target"/>.</summary>
    /// <returns>False when a process of the host still works in it.</returns>
    internal Task<bool> UnmountAsync(string target) => _mounter.UnmountAsync(target);

    /// <summary>Runs what asks the kernel, and no disk or server.</summary>
    internal Task<T> RunAsync<T>(Func<T> call, CancellationToken cancellation) => _lane.RunAsync(call, cancellation);
}
