using System.Collections.Concurrent;
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
    readonly Settings _settings;
    readonly SyscallLane _lane = new("disk", maxThreads: 8);
    readonly Mounter _mounter;

    internal ExportTable(Settings settings, DirectoryRoot dataRoot)
    {
        _settings = settings;
        _mounter = new Mounter(_lane);
        Local = new LocalExport(dataRoot, _lane, isShared: settings.Database.Length > 0);
    }

    internal LocalExport Local { get; }

    internal Export Of(Volume volume)
    {
        if (volume.Backend != "nfs") return Local;
        var options = OptionsOf(volume);
        return _nfs.GetOrAdd((volume.Server, volume.Export, options.Text), Make, options);
    }

    /// <summary>A volume's own options over this host's, which are over the defaults.</summary>
    NfsOptions OptionsOf(Volume volume) => NfsOptions.Parse(_settings.NfsOptions, volume.Options.GetValueOrDefault("nfsopts") ?? "");

    NfsExport Make((string Server, string Path, string Options) key, NfsOptions options)
    {
        var server = _servers.GetOrAdd((key.Server, options.Port), static s => new NfsServer(s.Name, s.Port));
        return new NfsExport(server, key.Path, options, $"{_settings.NfsRoot}/{NameOf(key)}");
    }

    /// <summary>Readable in the table of mounts, and another for each set of options.</summary>
    static string NameOf((string Server, string Path, string Options) key)
    {
        var readable = string.Concat($"{key.Server}{key.Path}".Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' ? c : '-'));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{key.Server} {key.Path} {key.Options}")).AsSpan(0, 4));
        return $"{readable[..Math.Min(readable.Length, 100)]}-{hash}";
    }

    /// <summary>Unmounts what no known volume has at <paramref name="target"/>.</summary>
    /// <returns>False when a process of the host still works in it.</returns>
    internal Task<bool> UnmountAsync(string target) => _mounter.UnmountAsync(target);

    /// <summary>Runs what may block on this host's own disk or kernel, but on no server.</summary>
    internal Task<T> RunAsync<T>(Func<T> call, CancellationToken cancellation) => _lane.RunAsync(call, cancellation);
}
