using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>What becomes of a removed volume's directory.</content>
internal abstract partial class Export
{
    /// <summary>Moves the volume's directory into the trash; done already, or nothing there, is success.</summary>
    /// <returns>Whether it was moved.</returns>
    /// <exception cref="VolumeException">Something is mounted below it, or the file system refused; the directory is where it was.</exception>
    internal Task<bool> TrashAsync(Volume volume) => RunAsync(volume, () =>
    {
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

    /// <summary>Moves a volume's data from the trash to its place. An empty directory in the way goes.</summary>
    /// <returns>False when there is no such entry in the trash.</returns>
    /// <exception cref="VolumeException">Something else is in the way, or the file system refused; the data is where it was.</exception>
    internal Task<bool> RestoreAsync(Volume volume, string entry) => RunAsync(volume, () =>
    {
        try
        {
            return Root.TryRename($"{Trash}/{entry}", volume.Directory, overEmpty: true);
        }
        catch (LinuxException e) when (e.Errno is LibC.EEXIST or LibC.ENOTEMPTY or LibC.ENOTDIR)
        {
            throw new VolumeException($"volume {volume.Name} cannot be restored to {SourceOf(volume)}, where something is already: move that away, or restore the volume under another name", e);
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be restored", volume, e);
        }
    }, CancellationToken.None);

    /// <summary>Whether the volume's directory is there.</summary>
    internal Task<bool> ExistsAsync(Volume volume) => RunAsync(volume, () => Root.Exists(volume.Directory), CancellationToken.None);

    /// <summary>Deletes a trashed volume's data for good. First it gets a name under which nobody looks for it: a database that has forgotten the purge, as a backup has,
    /// must not give back what is left.</summary>
    /// <returns>How many files and directories were deleted.</returns>
    internal Task<long> PurgeAsync(Volume volume, CancellationToken cancellation) => RunAsync(volume, () =>
    {
        var (entry, doomed) = (TrashName(volume), TrashName(volume) + ".purging");
        CheckNothingMountedBelow(volume, $"{Root.Path}/{Trash}/{entry}");
        CheckNothingMountedBelow(volume, $"{Root.Path}/{Trash}/{doomed}");
        if (!Root.TryRename($"{Trash}/{entry}", $"{Trash}/{doomed}") && !Root.Exists($"{Trash}/{doomed}")) return 0;
        Quota?.Release($"{Trash}/{doomed}");
        using var trash = Root.Open(Trash);
        return TreeRemoval.Remove(trash, doomed, cancellation);
    }, cancellation);

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
