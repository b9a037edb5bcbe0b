using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>A directory, of this host or of a server, in which volumes are directories: how they are made, mounted, trashed and deleted.</summary>
internal abstract partial class Export
{
    /// <summary>Beside the volumes on the same file system, so that removal is one rename; no volume's name begins with a dot.</summary>
    internal const string Trash = ".trash";

    readonly SyscallLane _lane;
    readonly Mounter _mounter;

    /// <param name="lane">The threads that may hang when this export does. No other export's calls run there.</param>
    private protected Export(DirectoryRoot root, SyscallLane lane, Timings timings)
    {
        Timings = timings;
        Root = root;
        _lane = lane;
        _mounter = new Mounter(lane);
    }

    private protected Timings Timings { get; }

    private protected DirectoryRoot Root { get; }

    /// <summary>The projects of the volumes, where the directories are this host's own; null where a server has them.</summary>
    private protected virtual DirectoryQuota? Quota => null;

    /// <summary>What a message names when the export does not answer.</summary>
    internal abstract string Name { get; }

    /// <summary>What lies at its top: where volumes that name no <c>path</c> have their directories.</summary>
    internal virtual string Source => Root.Path;

    /// <summary>Why volumes here cannot be used now, in a sentence; null when nothing is known that speaks against it. Asks nobody for longer than some seconds.</summary>
    internal abstract Task<string?> FindTroubleAsync(CancellationToken cancellation);

    /// <summary>Whether other users of this host may enter its root.</summary>
    internal bool IsOpen
    {
        get
        {
            try
            {
                return Root.IsOpenAfterClosing();
            }
            catch (IOException)
            {
                // What is not there nobody enters; that it is not there is told elsewhere.
                return false;
            }
        }
    }

    /// <summary>Where the volume's data lies, in words that mean the same on every host.</summary>
    internal virtual string SourceOf(Volume volume) => PathOf(volume);

    /// <summary>Where this host sees the volume's data.</summary>
    internal string PathOf(Volume volume) => $"{Root.Path}/{volume.Directory}";

    /// <summary>Where this host would see the volume's data: what was removed elsewhere while containers of this host use it may be in the trash by now.</summary>
    private protected IEnumerable<string> PathsOf(Volume volume) => volume.IsLiving ? [PathOf(volume)] : [PathOf(volume), $"{Root.Path}/{Trash}/{TrashName(volume)}"];

    /// <summary>How the mounts that containers have of the volume can be recognised, each with the path at which this host would see the same.</summary>
    internal virtual IEnumerable<(MountNamespaces.Location Location, string Path)> PlacesOf(Volume volume, List<MountInfo> mounts) =>
        PathsOf(volume).Select(path => (MountNamespaces.Location.Of(path, mounts), path));

    /// <summary>Whether no container has a volume of this export whose places are not found in it. While it is not mounted here nobody can say that.</summary>
    internal virtual bool CanBeSeen(List<MountInfo> mounts) => true;

    /// <exception cref="VolumeException">The volume's data cannot be reached.</exception>
    internal Task CheckAsync(Volume volume, CancellationToken cancellation) => RunAsync(volume, () => true, cancellation);

    /// <summary>Whether what is mounted at <paramref name="target"/> will never again be of use: its server does not know it any more.</summary>
    /// <exception cref="VolumeException">The server does not answer.</exception>
    internal virtual Task<bool> IsLostAsync(string target, CancellationToken cancellation) => Task.FromResult(false);

    /// <summary>Makes sure that the root is what the volume's data lies in, then runs <paramref name="call"/>; both where they may hang.</summary>
    /// <exception cref="VolumeException">It is not, or cannot be reached.</exception>
    /// <param name="isHarmless">Whether the call may come to its end when nobody waits for it any more.</param>
    private protected virtual Task<T> RunAsync<T>(Volume volume, Func<T> call, CancellationToken cancellation, bool isHarmless = false) => OnLaneAsync(
        () =>
        {
            Prepare(volume);
            return call();
        }, cancellation);

    /// <summary>The same for a call without a result.</summary>
    private protected Task RunAsync(Volume volume, Action call, CancellationToken cancellation, bool isHarmless = false) => RunAsync(
        volume,
        () =>
        {
            call();
            return true;
        }, cancellation, isHarmless);

    /// <summary>Finds out whether the export can be asked at all, without a thread that could hang.</summary>
    /// <exception cref="VolumeException">It does not answer.</exception>
    internal virtual Task ReachAsync(CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>Makes sure that the root is what the volume's data lies in. May hang.</summary>
    /// <exception cref="VolumeException">It is not.</exception>
    private protected abstract void Prepare(Volume volume);

    /// <summary>Runs what may hang as long as this export does.</summary>
    private protected Task<T> OnLaneAsync<T>(Func<T> call, CancellationToken cancellation) => _lane.RunAsync(call, cancellation);

    private protected Task OnLaneAsync(Action call, CancellationToken cancellation) => _lane.RunAsync(call, cancellation);

    /// <summary>Makes the directory of a volume that is about to be, or checks that the adopted one is there.</summary>
    /// <returns>True when the directory was made just now.</returns>
    /// <exception cref="VolumeException">There is data where a new volume should be, or nothing where data should be adopted.</exception>
    internal Task<bool> MakeAsync(Volume volume, CancellationToken cancellation) => RunAsync(volume, () =>
    {
        if (volume.Adopted)
        {
            CheckAdoptable(volume);
            return false;
        }

        try
        {
            if (TryMake(volume))
            {
                Quota?.Apply(volume);
                return true;
            }

            // An empty one is left over from a Create that was cut off; or it is another volume's, then the catalog refuses, and it is not ours to touch.
            if (Root.IsEmpty(volume.Directory)) return false;
        }
        catch (LinuxException e) when (e.Errno != LibC.ENOTDIR)
        {
            throw Failed("cannot be made", volume, e);
        }

        throw Occupied(volume);
    }, cancellation);

    /// <summary>Checks what <see cref="MakeAsync"/> checks, and makes nothing.</summary>
    /// <exception cref="VolumeException">There is data where a new volume should be, or nothing where data should be adopted.</exception>
    internal Task CheckMakeableAsync(Volume volume, CancellationToken cancellation) => RunAsync(volume, () =>
    {
        if (volume.Adopted)
        {
            CheckAdoptable(volume);
            return;
        }

        try
        {
            if (!Root.Exists(volume.Directory) || Root.IsEmpty(volume.Directory)) return;
        }
        catch (LinuxException e) when (e.Errno != LibC.ENOTDIR)
        {
            throw Failed("cannot be made", volume, e);
        }

        throw Occupied(volume);
    }, cancellation, isHarmless: true);

    void CheckAdoptable(Volume volume)
    {
        try
        {
            Root.Open(volume.Directory).Dispose();
        }
        catch (LinuxException e) when (e.Errno is LibC.ENOENT or LibC.ENOTDIR or LibC.ELOOP)
        {
            throw new VolumeException($"option path is \"{volume.Directory}\", but {SourceOf(volume)} is not an existing directory free of symbolic links: create it first", e);
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be made", volume, e);
        }
    }

    VolumeException Occupied(Volume volume) => new($"{SourceOf(volume)} exists and holds data: adopt it with -o path={volume.Directory}, or move it away");

    /// <summary>Gives a directory that was there before its volume, and was not adopted, the owner and mode that the volume was created with; and any its project.</summary>
    internal Task TakeAsync(Volume volume) => volume.Adopted && Quota is null ? Task.CompletedTask : RunAsync(volume, () =>
    {
        if (!volume.Adopted) SetOwner(volume);
        Quota?.Apply(volume);
    }, CancellationToken.None);

    /// <summary>Takes back a directory that <see cref="MakeAsync"/> made, unless something is in it by now.</summary>
    internal Task UnmakeAsync(Volume volume) => RunAsync(volume, () =>
    {
        Quota?.Release(volume.Directory);
        Root.RemoveIfEmpty(volume.Directory);
    }, CancellationToken.None);

    /// <summary>Mounts the volume's directory at <paramref name="target"/>. Before the first mount a directory that got lost is made again; no data was in it.</summary>
    /// <exception cref="VolumeException">The directory is gone, or the kernel refused.</exception>
    internal async Task MountAsync(Volume volume, string target, CancellationToken cancellation)
    {
        try
        {
            // An empty directory that is made too late is the volume's all the same.
            using var directory = await RunAsync(volume, () => OpenProvisioned(volume), cancellation, isHarmless: true);
            await _mounter.BindAsync(directory, target, volume.Access == AccessMode.ReadOnly, cancellation);
        }
        catch (IOException e)
        {
            throw Failed("cannot be mounted", volume, e);
        }
    }

    /// <summary>Whether what is mounted at <paramref name="target"/> is the volume's directory as it is now.</summary>
    internal Task<bool> IsMountedAsync(Volume volume, string target, CancellationToken cancellation) => RunAsync(
        volume, () => Mounter.IsMounted(target) && Root.Exists(volume.Directory) && Root.IsSame(volume.Directory, target), cancellation, isHarmless: true);

    /// <summary>Opens the volume's directory, which is made before its first mount. Removed in this moment, it may be the one that was made instead, or that of a new volume
    /// of the name. One that was made instead stays, empty: it may be the new volume's by now.</summary>
    SafeFileHandle OpenProvisioned(Volume volume)
    {
        CheckNotTrashed(volume);
        if (volume.ProvisionedAt is null)
        {
            if (!TryMake(volume) && Root.IsEmpty(volume.Directory)) SetOwner(volume);
            Root.Sync("");
        }

        try
        {
            var directory = Root.Open(volume.Directory);
            try
            {
                CheckNotTrashed(volume);
                Quota?.Apply(volume);
                return directory;
            }
            catch
            {
                directory.Dispose();
                throw;
            }
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOENT)
        {
            throw new VolumeException($"the directory {SourceOf(volume)} of volume {volume.Name} is missing: mount its disk or restore it, then try again", e);
        }
    }

    /// <summary>Whether other hosts have this export too.</summary>
    private protected abstract bool IsShared { get; }

    /// <summary>Another host may have removed the volume, and made a new one of its name and place, while this one could not hear of it. Until it can, nobody deletes
    /// what is in the trash (<see cref="VolumeRows.Due"/>), and there it is seen.</summary>
    void CheckNotTrashed(Volume volume)
    {
        if (IsShared && Root.Exists($"{Trash}/{TrashName(volume)}")) throw new VolumeException($"volume {volume.Name} was removed on another host: create it anew, then mount it");
    }

    /// <summary>Gives a mount the flags that <see cref="MountAsync"/> gives.</summary>
    internal Task SetMountFlagsAsync(Volume volume, string target) => _mounter.SetFlagsAsync(target, volume.Access == AccessMode.ReadOnly);

    /// <returns>False when a process of the host still works in it; the mount stays for the reconciler.</returns>
    internal Task<bool> UnmountAsync(string target) => _mounter.UnmountAsync(target);

    bool TryMake(Volume volume) => Root.TryMake(volume.Directory, (uint)volume.Mode, (uint)volume.Uid, (uint)volume.Gid);

    void SetOwner(Volume volume) => Root.SetOwner(volume.Directory, (uint)volume.Mode, (uint)volume.Uid, (uint)volume.Gid);

    /// <summary>What to do about a failure that has no message of its own.</summary>
    private protected virtual string Cure(Exception failure) => $"see to {Root.Path}, then try again";

    VolumeException Failed(string what, Volume volume, Exception e) => new($"volume {volume.Name} {what} ({e.Message}): {Cure(e)}", e);
}
