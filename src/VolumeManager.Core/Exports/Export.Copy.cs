using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>Copies of volumes. One grows beside the trash, where nobody looks for it, until it is whole.</content>
internal abstract partial class Export
{
    /// <summary>How the name of a copy ends that is not whole yet.</summary>
    internal const string Copying = ".copying";

    private protected static string Staged(Volume copy) => $"{Trash}/{TrashName(copy)}{Copying}";

    /// <summary>Opens the volume's directory for who copies it.</summary>
    /// <exception cref="VolumeException">It cannot be reached.</exception>
    internal Task<SafeFileHandle> OpenAsync(Volume volume, CancellationToken cancellation) => RunAsync(volume, () => OpenOrFail(volume, volume.Directory), cancellation);

    /// <summary>Whether a new volume may have its directory there.</summary>
    /// <exception cref="VolumeException">Something is there, or it cannot be seen.</exception>
    internal Task CheckFreeAsync(Volume wanted, CancellationToken cancellation) => RunAsync(wanted, () =>
    {
        try
        {
            if (Root.Exists(wanted.Directory) && !Root.IsEmpty(wanted.Directory)) throw new VolumeException($"{SourceOf(wanted)} exists and holds data: adopt it with volman volume adopt, or move it away");
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be copied there", wanted, e);
        }
    }, cancellation);

    /// <summary>Makes the empty directory of a copy, with its project. What an earlier attempt left there is deleted.</summary>
    /// <exception cref="VolumeException">It cannot be made.</exception>
    internal Task StageAsync(Volume copy, CancellationToken cancellation) => RunAsync(copy, () =>
    {
        try
        {
            MakeTrash();
            RemoveStaged(copy);
            // Whole, and nobody's: who made it ended before the volume had its new place.
            if (Root.TryRename($"{Trash}/{TrashName(copy)}", Staged(copy))) RemoveStaged(copy);
            _ = Root.TryMake(Staged(copy), (uint)copy.Mode, (uint)copy.Uid, (uint)copy.Gid);
            Quota?.Apply(copy with { Directory = Staged(copy) });
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be copied", copy, e);
        }
    }, cancellation);

    /// <summary>Runs <paramref name="fill"/> with the directory of a copy. Afterwards all is where the data lies, times and owners too, and not with this host alone.</summary>
    /// <exception cref="VolumeException">It cannot be reached.</exception>
    internal virtual async Task FillAsync(Volume copy, Func<SafeFileHandle, Task> fill, CancellationToken cancellation)
    {
        using var target = await OpenStagedAsync(copy, cancellation);
        await fill(target);
    }

    /// <summary>Opens the directory of a copy for who compares it.</summary>
    internal Task<SafeFileHandle> OpenStagedAsync(Volume copy, CancellationToken cancellation) => OpenAsync(copy with { Directory = Staged(copy) }, cancellation);

    /// <summary>The copy is whole: from now on it is found where a restoration takes it from.</summary>
    internal Task EndStagingAsync(Volume copy) => RunAsync(copy, () =>
    {
        try
        {
            if (!Root.TryRename(Staged(copy), $"{Trash}/{TrashName(copy)}")) throw new VolumeException($"the copy of volume {copy.Name} is not in {Root.Path}/{Trash} any more: start anew");
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be copied", copy, e);
        }
    }, CancellationToken.None);

    /// <summary>Deletes what was copied so far, whole or not.</summary>
    /// <exception cref="VolumeException">It cannot be deleted now.</exception>
    internal Task DropStagedAsync(Volume copy) => RunAsync(copy, () =>
    {
        try
        {
            // What an attempt before this one has left would be in the way.
            RemoveStaged(copy);
            if (Root.TryRename($"{Trash}/{TrashName(copy)}", Staged(copy))) RemoveStaged(copy);
        }
        catch (LinuxException e)
        {
            throw Failed("was copied, and what was copied cannot be deleted", copy, e);
        }
    }, CancellationToken.None);

    void RemoveStaged(Volume copy)
    {
        if (!Root.Exists(Staged(copy))) return;
        Quota?.Release(Staged(copy));
        using var trash = Root.Open(Trash);
        TreeRemoval.Remove(trash, TrashName(copy) + Copying, static () => { });
    }

    SafeFileHandle OpenOrFail(Volume volume, string relative)
    {
        try
        {
            return Root.Open(relative, LibC.O_RDONLY);
        }
        catch (LinuxException e)
        {
            throw Failed("cannot be copied", volume, e);
        }
    }
}
