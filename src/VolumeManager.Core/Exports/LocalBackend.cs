using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>Volumes that are directories of this host: how they are made, mounted, trashed and deleted.</summary>
internal sealed class LocalBackend
{
    /// <summary>Beside the volumes on the same file system, so that removal is one rename; no volume's name begins with a dot.</summary>
    internal const string Trash = ".trash";

    readonly DirectoryRoot _root;
    readonly SyscallLane _lane = new("disk", maxThreads: 8);
    readonly Mounter _mounter;

    /// <param name="isShared">Several hosts have this root: each of its volumes then names it, and is looked for nowhere else.</param>
    internal LocalBackend(DirectoryRoot root, bool isShared)
    {
        _root = root;
        RootId = isShared ? DataRootId.ReadOrMake(root.Path) : "";
        MakeTrash();
        _mounter = new Mounter(_lane);
    }

    /// <summary>What the volumes of this root have as their export; empty where there is but one root.</summary>
    internal string RootId { get; }

    internal string PathOf(Volume volume) => $"{_root.Path}/{volume.Directory}";

    /// <exception cref="VolumeException">The volume's data lies in another root, or the root's disk is not mounted.</exception>
    internal Task CheckRootAsync(Volume volume) => _lane.RunAsync(() =>
    {
        CheckRoot(volume);
        return true;
    }, CancellationToken.None);

    void CheckRoot(Volume volume)
    {
        if (RootId.Length > 0 && (volume.Export != RootId || DataRootId.Read(_root.Path) != RootId))
        {
            throw new VolumeException(volume.Export == RootId
                ? $"volume {volume.Name} cannot be reached: the data root {_root.Path} is not there, mount its disk"
                : $"volume {volume.Name} (made on host {volume.CreatedOnHost}) does not lie in this host's data root {_root.Path}: mount the cluster's shared directory there, and start volman again");
        }
    }

    /// <summary>Makes the directory of a volume that is about to be, or checks that the adopted one is there.</summary>
    /// <returns>True when the directory was made just now.</returns>
    /// <exception cref="VolumeException">There is data where a new volume should be, or nothing where data should be adopted.</exception>
    internal Task<bool> MakeAsync(Volume volume, CancellationToken cancellation) => _lane.RunAsync(() =>
    {
        CheckRoot(volume);
        if (volume.Adopted)
        {
            try
            {
                _root.Open(volume.Directory).Dispose();
                return false;
            }
            catch (LinuxException e) when (e.Errno is LibC.ENOENT or LibC.ENOTDIR or LibC.ELOOP)
            {
                throw new VolumeException($"option path is \"{volume.Directory}\", but {PathOf(volume)} is not an existing directory free of symbolic links: create it first", e);
            }
            catch (LinuxException e)
            {
                throw Failed("cannot be made", volume, e);
            }
        }

        try
        {
            if (TryMake(volume)) return true;
            // An empty one is left over from a Create that was cut off; or it is another volume's, then the catalog refuses, and it is not ours to touch.
            if (_root.IsEmpty(volume.Directory)) return false;
        }
        catch (LinuxException e) when (e.Errno != LibC.ENOTDIR)
        {
            throw Failed("cannot be made", volume, e);
        }

        throw new VolumeException($"{PathOf(volume)} exists and holds data: adopt it with -o path={volume.Directory}, or move it away");
    }, cancellation);

    /// <summary>Gives a directory that was found empty the owner and mode that its volume was created with.</summary>
    internal Task TakeAsync(Volume volume) => _lane.RunAsync(() =>
    {
        SetOwner(volume);
        return true;
    }, CancellationToken.None);

    /// <summary>Takes back a directory that <see cref="MakeAsync"/> made, unless something is in it by now.</summary>
    internal Task UnmakeAsync(Volume volume) => _lane.RunAsync(() =>
    {
        _root.RemoveIfEmpty(volume.Directory);
        return true;
    }, CancellationToken.None);

    /// <summary>Mounts the volume's directory at <paramref name="target"/>. Before the first mount a directory that got lost is made again; no data was in it.</summary>
    /// <exception cref="VolumeException">The directory is gone, or the kernel refused.</exception>
    internal async Task MountAsync(Volume volume, string target, CancellationToken cancellation)
    {
        try
        {
            using var directory = await _lane.RunAsync(() =>
            {
                CheckRoot(volume);
                CheckNotTrashed(volume);
                if (volume.ProvisionedAt is null)
                {
                    if (!TryMake(volume) && _root.IsEmpty(volume.Directory)) SetOwner(volume);
                    _root.Sync("");
                }

                return OpenOwn(volume);
            }, cancellation);
            await _mounter.BindAsync(directory, target, volume.Access == AccessMode.ReadOnly, cancellation);
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOENT && !_root.Exists(volume.Directory))
        {
            throw new VolumeException($"the directory {PathOf(volume)} of volume {volume.Name} is missing: mount its disk or restore it, then try again", e);
        }
        catch (IOException e)
        {
            throw Failed("cannot be mounted", volume, e);
        }
    }

    /// <summary>Whether what is mounted at <paramref name="target"/> is the volume's directory as it is now.</summary>
    internal Task<bool> IsMountedAsync(Volume volume, string target) => _lane.RunAsync(() =>
    {
        CheckRoot(volume);
        return Mounter.IsMounted(target) && _root.Exists(volume.Directory) && _root.IsSame(volume.Directory, target);
    }, CancellationToken.None);

    /// <summary>Opens the volume's directory. Removed in this moment, it may be the one that was made instead, or that of a new volume of the name. One that was made instead
    /// stays, empty: it may be the new volume's by now.</summary>
    SafeFileHandle OpenOwn(Volume volume)
    {
        var directory = _root.Open(volume.Directory);
        try
        {
            CheckNotTrashed(volume);
            return directory;
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Another host may have removed the volume, and made a new one of its name and place, while this one could not hear of it. Until it can, nobody deletes
    /// what is in the trash (<see cref="VolumeRows.Due"/>), and there it is seen.</summary>
    void CheckNotTrashed(Volume volume)
    {
        if (RootId.Length > 0 && _root.Exists($"{Trash}/{TrashName(volume)}")) throw new VolumeException($"volume {volume.Name} was removed on another host: create it anew, then mount it");
    }

    /// <summary>Gives a mount the flags that <see cref="MountAsync"/> gives.</summary>
    internal Task SetMountFlagsAsync(Volume volume, string target) => _mounter.SetFlagsAsync(target, volume.Access == AccessMode.ReadOnly);

    /// <returns>False when a process of the host still works in it; the mount stays for the reconciler.</returns>
    internal Task<bool> UnmountAsync(string target) => _mounter.UnmountAsync(target);

    /// <summary>Moves the volume's directory into the trash; done already, or nothing there, is success.</summary>
    /// <exception cref="VolumeException">Something is mounted below it, or the file system refused; the directory is where it was.</exception>
    internal Task TrashAsync(Volume volume) => _lane.RunAsync(() =>
    {
        CheckRoot(volume);
        CheckNothingMountedBelow(volume, PathOf(volume));
        try
        {
            // A disk that was mounted while we ran has none yet.
            MakeTrash();
            return _root.TryRename(volume.Directory, $"{Trash}/{TrashName(volume)}");
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be moved to the trash", volume, e);
        }
    }, CancellationToken.None);

    /// <summary>Deletes a trashed volume's data for good.</summary>
    /// <returns>How many files and directories were deleted.</returns>
    internal Task<long> PurgeAsync(Volume volume, CancellationToken cancellation) => _lane.RunAsync(() =>
    {
        CheckRoot(volume);
        var entry = $"{Trash}/{TrashName(volume)}";
        if (!_root.Exists(entry)) return 0;
        CheckNothingMountedBelow(volume, $"{_root.Path}/{entry}");
        using var trash = _root.Open(Trash);
        return TreeRemoval.Remove(trash, TrashName(volume), cancellation);
    }, cancellation);

    internal Task<T> RunAsync<T>(Func<T> call, CancellationToken cancellation) => _lane.RunAsync(call, cancellation);

    /// <summary>Unique by the id, readable by the name.</summary>
    internal static string TrashName(Volume volume) => $"{(volume.Name.Length > 200 ? volume.Name[..200] : volume.Name)}.{volume.Id:N}";

    void MakeTrash() => _ = _root.TryMake(Trash, mode: 0x1C0 /* 0700 */, uid: 0, gid: 0);

    bool TryMake(Volume volume) => _root.TryMake(volume.Directory, (uint)volume.Mode, (uint)volume.Uid, (uint)volume.Gid);

    void SetOwner(Volume volume) => _root.SetOwner(volume.Directory, (uint)volume.Mode, (uint)volume.Uid, (uint)volume.Gid);

    static void CheckNothingMountedBelow(Volume volume, string path)
    {
        if (MountInfo.Read().Find(m => MountInfo.IsAtOrBelow(m.MountPoint, path)) is { MountPoint: { } mountPoint })
        {
            throw new VolumeException($"volume {volume.Name} is in use on this host: {mountPoint} is mounted within its directory, unmount it first");
        }
    }

    VolumeException Failed(string what, Volume volume, Exception e) => new($"volume {volume.Name} {what} ({e.Message}): see to {_root.Path}, then try again", e);
}
