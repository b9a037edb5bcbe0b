using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>What becomes of a removed volume's directory.</content>
internal abstract partial class Export
{
    Task _purging = Task.CompletedTask;

    /// <summary>Moves the volume's directory into the trash; done already, or nothing there, is success.</summary>
    /// <param name="only">The directory that is meant, if another one may be there by now.</param>
    /// <returns>Whether it was moved.</returns>
    /// <exception cref="VolumeException">Something is mounted below it, or the file system refused; the directory is where it was.</exception>
    internal Task<bool> TrashAsync(Volume volume, SafeFileHandle? only = null) => RunAsync(volume, () =>
    {
        if (only is not null && !Root.IsSame(volume.Directory, only)) return false;
        CheckNothingMountedBelow(volume, PathOf(volume));
        try
        {
            // A disk that was mounted while we ran has none yet.
            MakeTrash();
            return Root.TryRename(volume.Directory, $"{Trash}/{TrashName(volume)}");
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be moved to the trash", volume, e);
        }
    }, CancellationToken.None);

    /// <summary>The name under which the volume's data lies in the trash, whatever the volume is called by now; null when it does not.</summary>
    /// <exception cref="VolumeException">That cannot be seen now.</exception>
    internal Task<string?> FindTrashedAsync(Volume volume, CancellationToken cancellation) => RunAsync(volume, () =>
    {
        try
        {
            return Root.List(Trash).Find(name => name.EndsWith($".{volume.Id:N}", StringComparison.Ordinal));
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOENT)
        {
            return null;
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be looked for in the trash", volume, e);
        }
    }, cancellation);

    /// <summary>Moves what was taken from a volume's place by mistake back there, unless something is there again.</summary>
    /// <returns>False when something is, or nothing was in the trash.</returns>
    internal Task<bool> PutBackAsync(Volume volume) => RunAsync(volume, () =>
    {
        try
        {
            return Root.TryRename($"{Trash}/{TrashName(volume)}", volume.Directory);
        }
        catch (LinuxException e) when (e.Errno is LibC.EEXIST or LibC.ENOTEMPTY or LibC.EINVAL)
        {
            return false;
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be put back", volume, e);
        }
    }, CancellationToken.None);

    /// <summary>Moves a volume's data from the trash to its place. An empty directory in the way goes.</summary>
    /// <returns>The directory, by which it is known again; null when there is no such entry in the trash.</returns>
    /// <exception cref="VolumeException">Something else is in the way, or the file system refused; the data is where it was.</exception>
    internal Task<SafeFileHandle?> RestoreAsync(Volume volume, string entry) => RunAsync(volume, () =>
    {
        SafeFileHandle? data = null, moved = null;
        try
        {
            if (!Root.Exists($"{Trash}/{entry}")) return null;
            data = Root.Open($"{Trash}/{entry}");
            if (Root.TryRename($"{Trash}/{entry}", volume.Directory, overEmpty: true)) (moved, data) = (data, null);
            return moved;
        }
        catch (LinuxException e) when (e.Errno is LibC.EEXIST or LibC.ENOTEMPTY or LibC.ENOTDIR)
        {
            throw new VolumeException($"volume {volume.Name} cannot be restored to {SourceOf(volume)}, where something is already: move that away, or restore the volume under another name", e);
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be restored", volume, e);
        }
        finally
        {
            data?.Dispose();
        }
    }, CancellationToken.None);

    /// <summary>Whether the volume's directory is there.</summary>
    internal Task<bool> ExistsAsync(Volume volume) => RunAsync(volume, () => Root.Exists(volume.Directory), CancellationToken.None);

    /// <summary>Makes sure that a trashed volume's data can be reached, to be deleted.</summary>
    /// <exception cref="SilentExportException">The export does not answer, or has not answered to the last time yet.</exception>
    /// <exception cref="VolumeException">It cannot be reached.</exception>
    internal Task CheckTrashAsync(Volume volume, CancellationToken cancellation) => OneByOneAsync(volume, _ => true, cancellation);

    /// <summary>Deletes a trashed volume's data for good. First it gets a name under which nobody looks for it: a database that has forgotten the purge, as a backup has,
    /// must not give back what is left. That may take long, and is waited for as long as it gets on.</summary>
    /// <returns>How many files and directories were deleted.</returns>
    /// <exception cref="SilentExportException">The export does not answer, or has not answered to the last time yet.</exception>
    /// <exception cref="VolumeException">It cannot be reached, or something is mounted below the data.</exception>
    internal Task<long> PurgeAsync(Volume volume, CancellationToken cancellation) => OneByOneAsync(volume, step => Purge(volume, step), cancellation);

    /// <summary>Runs what the janitor wants. An export that hangs holds one thread of it.</summary>
    /// <param name="call">Gets what it has to call as it goes on, which throws when it shall not.</param>
    async Task<T> OneByOneAsync<T>(Volume volume, Func<Action, T> call, CancellationToken cancellation)
    {
        if (!_purging.IsCompleted) throw new SilentExportException($"{Name} has not answered since trashed data was last deleted there: see to it");
        // Not disposed of: what nobody waits for any more looks at it when the kernel lets it go on.
        var stop = new CancellationTokenSource();
        var steps = 0L;
        var purging = RunAsync(volume, () => call(Step), stop.Token);
        _purging = purging;
        return await WhileItGetsOnAsync(purging, () => Interlocked.Read(ref steps), stop, cancellation);

        void Step()
        {
            stop.Token.ThrowIfCancellationRequested();
            Interlocked.Increment(ref steps);
        }
    }

    long Purge(Volume volume, Action step)
    {
        var (entry, doomed) = (TrashName(volume), TrashName(volume) + ".purging");
        CheckNothingMountedBelow(volume, $"{Root.Path}/{Trash}/{entry}");
        CheckNothingMountedBelow(volume, $"{Root.Path}/{Trash}/{doomed}");
        if (!Root.TryRename($"{Trash}/{entry}", $"{Trash}/{doomed}") && !Root.Exists($"{Trash}/{doomed}")) return 0;
        Quota?.Release($"{Trash}/{doomed}");
        using var trash = Root.Open(Trash);
        return TreeRemoval.Remove(trash, doomed, step);
    }

    /// <summary>Unique by the id, readable by the name.</summary>
    internal static string TrashName(Volume volume) => $"{(volume.Name.Length > 200 ? volume.Name[..200] : volume.Name)}.{volume.Id:N}";

    /// <summary>What the volume was called whose data is at that place in the trash; of a very long name the beginning.</summary>
    internal static string NameIn(string entry) => entry[..^33];

    private protected void MakeTrash() => _ = Root.TryMake(Trash, mode: 0x1C0 /* 0700 */, uid: 0, gid: 0);

    static void CheckNothingMountedBelow(Volume volume, string path)
    {
        if (MountInfo.Read().Find(m => MountInfo.IsAtOrBelow(m.MountPoint, path)) is { MountPoint: { } mountPoint })
        {
            throw new VolumeException($"volume {volume.Name} is in use on this host: {mountPoint} is mounted within its directory, unmount it first");
        }
    }
}
