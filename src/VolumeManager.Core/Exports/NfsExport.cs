using System.Net;
using System.Runtime.InteropServices;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>
/// The backend <c>nfs</c>: one export of one server with one set of options, which the kernel mounts once for this host, at its first use. The volumes are binds of its
/// directories. A server that hangs holds some threads of this export's own, and nothing else.
/// </summary>
internal sealed partial class NfsExport : Export
{
    const int MaxThreads = 4;

    readonly string _path;
    readonly NfsServer _server;
    readonly NfsOptions _options;
    readonly SyscallLane _questions;
    readonly SyscallLane _unmounts;
    readonly Lock _gate = new();
    readonly string _mountPoint;
    int _mounts;
    IPAddress? _mountedFrom;
    long _usedAt = Environment.TickCount64;
    (IPAddress Server, IPAddress Local) _address;

    /// <param name="path">What the server exports, absolute.</param>
    /// <param name="mountPoint">Where the kernel mounts it: no container sees this place.</param>
    internal NfsExport(NfsServer server, string path, NfsOptions options, string mountPoint, Timings timings)
        : base(DirectoryRoot.MountedAt(mountPoint), new SyscallLane("nfs " + server.Name, MaxThreads), timings)
    {
        (_server, _path, _options, _mountPoint) = (server, path, options, mountPoint);
        _questions = new SyscallLane("nfs? " + server.Name, maxThreads: 1);
        _unmounts = new SyscallLane("nfs- " + server.Name, maxThreads: 2);
    }

    /// <summary>As mount(8) shows it.</summary>
    internal override string Source => NfsAddress.Source(_server.Name, _path);

    internal override async Task<string?> FindTroubleAsync(CancellationToken cancellation)
    {
        try
        {
            await ReachAsync(cancellation);
            return null;
        }
        catch (VolumeException e)
        {
            return e.Message;
        }
    }

    internal override string SourceOf(Volume volume) => $"{Source.TrimEnd('/')}/{volume.Directory}";

    private protected override bool IsShared => true;

    internal override string Name => $"the NFS server {_server.Name}";

    private protected override async Task<T> RunAsync<T>(Volume volume, Func<T> call, CancellationToken cancellation, bool isHarmless = false)
    {
        await ReachAsync(cancellation);
        await PrepareAsync(volume, cancellation);
        // What changes something is waited for whatever happens: it must be known to whoever asked for it.
        return isHarmless ? await PatientlyAsync(token => OnLaneAsync(call, token), cancellation) : await OnLaneAsync(call, cancellation);
    }

    async Task PrepareAsync(Volume volume, CancellationToken cancellation)
    {
        for (var began = Environment.TickCount64; ; await Task.Delay(Timings.MountRetry, cancellation))
        {
            try
            {
                await PatientlyAsync(
                    token => OnLaneAsync(
                        () =>
                        {
                            Prepare(volume);
                            return true;
                        }, token), cancellation);
                return;
            }
            catch (NotLetInException) when (Environment.TickCount64 - began < Timings.Admission.TotalMilliseconds)
            {
                // Once more.
            }
        }
    }

    // Each may be a question to the server, which has all hosts' containers to serve.
    private protected override int EntriesPerSecond => 5_000;

    internal override async Task ReachAsync(CancellationToken cancellation) => _address = await _server.ReachAsync(cancellation);

    /// <summary>Sees that the export is mounted, is the server's own now, and has a trash. May come back when nobody waits for it any more.</summary>
    private protected override void Prepare(Volume volume)
    {
        _usedAt = Environment.TickCount64;
        // Asked outside the gate: who hangs in the question keeps nobody from mounting the export anew.
        var mounts = Volatile.Read(ref _mounts);
        if (!IsMounted() || IsLost(_mountPoint))
        {
            lock (_gate)
            {
                // What containers have of the old one is theirs until they end; nobody else gets it any more.
                if (mounts == _mounts && IsMounted()) Detach();
                if (!IsMounted()) Mount();
            }
        }

        try
        {
            MakeTrash();
        }
        catch (LinuxException e) when (e.Errno == LibC.EROFS && volume.Access == AccessMode.ReadOnly)
        {
            // Nothing is removed from an export that is read-only.
        }
        catch (LinuxException e)
        {
            throw new VolumeException($"volume {volume.Name} cannot be reached on {Source} ({e.Message}): {Cure(e)}", e);
        }
    }

    internal string MountPoint => _mountPoint;

    /// <summary>Unmounts an export that nobody has needed for a while. Volumes that are mounted keep their own mounts of it.</summary>
    /// <returns>False when it was needed meanwhile, or is not mounted.</returns>
    internal Task<bool> UnmountIdleAsync(TimeSpan idle) => AskAsync(() =>
    {
        lock (_gate)
        {
            if (Environment.TickCount64 - _usedAt < idle.TotalMilliseconds || !IsMounted()) return false;
            Detach();
            return true;
        }
    }, CancellationToken.None);

    /// <returns>Those of the places where volumes of this export are mounted that the server does not know any more.</returns>
    /// <exception cref="VolumeException">It does not answer.</exception>
    internal async Task<HashSet<string>> FindStaleAsync(IEnumerable<string> targets, CancellationToken cancellation)
    {
        await ReachAsync(cancellation);
        return await AskAsync(() => targets.Where(IsLost).ToHashSet(StringComparer.Ordinal), cancellation);
    }

    /// <summary>On a thread apart, so that questions which hang take none from Mounts.</summary>
    Task<T> AskAsync<T>(Func<T> call, CancellationToken cancellation) => PatientlyAsync(token => _questions.RunAsync(call, token), cancellation);

    /// <summary>For the time between a server's falling silent and the next probe: the kernel waits for it then, without end.</summary>
    async Task<T> PatientlyAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(Timings.ExportAnswer);
        try
        {
            return await call(patience.Token).WaitAsync(patience.Token);
        }
        catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
        {
            throw new VolumeException($"the NFS server {_server.Name} does not answer (no reply for {Timings.ExportAnswer.TotalSeconds:0} s): see to it or to the way there, then try again", e);
        }
    }

    internal override async Task<bool> IsLostAsync(string target, CancellationToken cancellation) => (await FindStaleAsync([target], cancellation)).Count > 0;

    // Not by a call on the mount point, which the server would have to answer.
    bool IsMounted() => MountInfo.Read().Exists(m => m.MountPoint == _mountPoint);

    /// <summary>Whether a mount of this export is of no use to anybody who comes now.</summary>
    bool IsLost(string mountPoint)
    {
        // Where the name has come to mean another machine, only that one is asked: the old one may be silent.
        if (mountPoint == _mountPoint) return (_mountedFrom is { } from && !from.Equals(_address.Server)) || IsStale(mountPoint);
        var table = MountInfo.Read();
        return (AddressOf(_mountPoint, table) is { } now && AddressOf(mountPoint, table) is { } then && now != then) || IsStale(mountPoint);
    }

    /// <summary>As the kernel tells it. It may be another one than was mounted: NFS 4 finds out that two addresses are one server.</summary>
    static string? AddressOf(string mountPoint, List<MountInfo> table) =>
        table.FindLast(m => m.MountPoint == mountPoint).FileSystemOptions?.Split(',').FirstOrDefault(o => o.StartsWith("addr=", StringComparison.Ordinal));

    /// <summary>Whether the server does not know any more what is mounted there: it was replaced, or its disk was. Asks the server.</summary>
    /// <remarks>By a name that nobody has looked up before: what it knows, of the directory itself too, the kernel answers from memory.</remarks>
    static bool IsStale(string mountPoint) =>
        LibC.Statx(LibC.AT_FDCWD, $"{mountPoint}/.volman-{Guid.NewGuid():N}", LibC.AT_SYMLINK_NOFOLLOW | LibC.AT_NO_AUTOMOUNT, LibC.STATX_TYPE, out _) < 0
        && Marshal.GetLastPInvokeError() == LibC.ESTALE;

    /// <summary>Takes the mount away, whoever is at work in it. The kernel then lets go of the server, which may be silent, on a thread that nobody waits for.</summary>
    void Detach()
    {
        var unmount = _unmounts.RunAsync(() => LibC.Check(LibC.Umount2(_mountPoint, LibC.MNT_DETACH | LibC.UMOUNT_NOFOLLOW), "umount", _mountPoint), CancellationToken.None);
        if (!SpinWait.SpinUntil(() => unmount.IsCompleted || !IsMounted(), Timings.ExportAnswer)) throw new VolumeException($"{_mountPoint} cannot be unmounted now: see to the server {_server.Name}, then try again");
        if (unmount.IsCompleted) unmount.GetAwaiter().GetResult();
    }

    void Mount()
    {
        var (server, _) = _address;
        MountAt(_mountPoint, _options);
        _mountedFrom = server;
        Volatile.Write(ref _mounts, _mounts + 1);
    }

    void MountAt(string mountPoint, NfsOptions options)
    {
        var (server, local) = _address;
        // From here on the kernel does what mount.nfs does: it knows no names, and wants to be told where it is called back (NFS 4.0).
        var data = $"{options.Data},addr={server}{(options.IsVersion3 ? $",mountaddr={server}" : $",clientaddr={local}")}";
        // The exports are mounted whole, so nobody else may go this way to what volumes hold. Earlier versions had left it open.
        var above = Path.GetDirectoryName(mountPoint)!;
        Directory.CreateDirectory(above, DirectoryRoot.OwnerOnly);
        File.SetUnixFileMode(above, DirectoryRoot.OwnerOnly);
        Directory.CreateDirectory(mountPoint);
        try
        {
            LibC.Check(LibC.Mount(Source, mountPoint, options.IsVersion3 ? "nfs" : "nfs4", options.Flags, data), "mount", Source);
        }
        catch (LinuxException e) when (e.Errno == LibC.EACCES)
        {
            throw new NotLetInException($"the export {Source} cannot be mounted ({e.Message}): {MountCure(e.Errno)}", e);
        }
        catch (LinuxException e)
        {
            throw new VolumeException($"the export {Source} cannot be mounted ({e.Message}): {MountCure(e.Errno)}", e);
        }
    }

    /// <summary>What the kernel's errors mean for this call; mount.nfs(8) says the same in more words.</summary>
    string MountCure(int errno) => errno switch
    {
        LibC.EACCES or LibC.EPERM => $"let the server export {_path} to this host, then try again",
        LibC.ENOENT => $"let the server export {_path}, or correct the option export; with NFS 4 the path counts from the export with fsid=0",
        LibC.EPROTONOSUPPORT => "choose a version that the server speaks, with nfsopts=vers=…",
        LibC.EINVAL => $"this kernel refuses the options {_options.Text}: correct nfsopts",
        LibC.ENODEV => "this kernel has no NFS: install it (Debian: nfs-common; modprobe nfs)",
        LibC.ETIMEDOUT or LibC.ECONNREFUSED => $"see to the server {_server.Name}, then try again",
        _ => $"see to the server {_server.Name} and this kernel's log, then try again",
    };

    private protected override string Cure(Exception failure) => (failure as LinuxException)?.Errno switch
    {
        LibC.EACCES or LibC.EPERM => $"{_server.Name} takes away root's rights (root_squash): export {_path} with no_root_squash, or own the directories by the user it maps root to",
        LibC.ESTALE => $"{_server.Name} does not know the directory any more: stop the containers that use it, then try again",
        _ => $"see to {Source}, then try again",
    };

    /// <summary>The server exports this to others, but not to this host, or not yet.</summary>
    sealed class NotLetInException(string message, Exception inner) : VolumeException(message, inner);
}
