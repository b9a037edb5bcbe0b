using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>Mounts and unmounts directories, on the threads of one <see cref="SyscallLane"/>.</summary>
internal sealed class Mounter(SyscallLane lane)
{
    /// <summary>Bind-mounts <paramref name="source"/> at <paramref name="target"/>, which is made when it is missing. Set-uid programs and device files are disarmed.</summary>
    /// <param name="source">An open directory (O_PATH will do): what it is now is mounted, whatever its path becomes.</param>
    /// <exception cref="LinuxException">The kernel refused; nothing is mounted.</exception>
    internal Task BindAsync(SafeFileHandle source, string target, bool readOnly, CancellationToken cancellation) => lane.RunAsync(() =>
    {
        Directory.CreateDirectory(target);
        try
        {
            // Bind first, then set flags: mount(2) ignores all flags but MS_REC in the call that binds.
            LibC.Check(LibC.Mount($"/proc/self/fd/{(int)source.DangerousGetHandle()}", target, null, LibC.MS_BIND, null), "mount", target);
            SetFlags(target, readOnly);
        }
        catch (LinuxException)
        {
            _ = LibC.Umount2(target, LibC.UMOUNT_NOFOLLOW);
            RemoveEmpty(target);
            throw;
        }

        GC.KeepAlive(source);
        return true;
    }, cancellation);

    /// <summary>Gives a mount the flags that it should have. It keeps those of the file system that it is a part of.</summary>
    internal Task SetFlagsAsync(string target, bool readOnly) => lane.RunAsync(() => SetFlags(target, readOnly), CancellationToken.None);

    /// <summary>Whether a mount with these options of mountinfo has the flags that it should have.</summary>
    internal static bool HasFlags(string options, bool readOnly)
    {
        var has = options.Split(',');
        return has.Contains("nosuid") && has.Contains("nodev") && (!readOnly || has.Contains("ro"));
    }

    static void SetFlags(string target, bool readOnly)
    {
        // A remount replaces the flags of the mount: what the data's own disk was mounted with must be said again (times are kept by the kernel).
        var inherited = MountInfo.Read().FindLast(m => m.MountPoint == target).Options?.Split(',') ?? [];
        var flags = LibC.MS_BIND | LibC.MS_REMOUNT | LibC.MS_NOSUID | LibC.MS_NODEV
            | (readOnly || inherited.Contains("ro") ? LibC.MS_RDONLY : 0)
            | (inherited.Contains("noexec") ? LibC.MS_NOEXEC : 0);
        LibC.Check(LibC.Mount(null, target, null, flags, null), "remount", target);
    }

    /// <summary>Unmounts <paramref name="target"/> and removes the empty directory. What is not mounted is success.</summary>
    /// <returns>False when the kernel says that it is busy: some process of the host works in it.</returns>
    /// <exception cref="LinuxException">The kernel refused for another reason.</exception>
    internal Task<bool> UnmountAsync(string target) => lane.RunAsync(() =>
    {
        // More than one mount may be stacked here when an earlier daemon was killed at the wrong moment.
        while (LibC.Umount2(target, LibC.UMOUNT_NOFOLLOW) == 0)
        {
        }

        // EINVAL: not a mount point, which is what was asked for (umount(2)).
        switch (Marshal.GetLastPInvokeError())
        {
            case LibC.EINVAL or LibC.ENOENT:
                RemoveEmpty(target);
                return true;
            case LibC.EBUSY:
                return false;
            case var error:
                throw new LinuxException("umount", target, error);
        }
    }, CancellationToken.None);

    /// <summary>Whether something is mounted at <paramref name="target"/>, asked of the kernel by one system call that touches no storage.</summary>
    internal static bool IsMounted(string target)
    {
        const int flags = LibC.AT_NO_AUTOMOUNT | LibC.AT_SYMLINK_NOFOLLOW | LibC.AT_STATX_DONT_SYNC;
        if (LibC.Statx(LibC.AT_FDCWD, target, flags, mask: 0, out var found) < 0)
        {
            // A broken file system answers with an error of its own, and is mounted all the same.
            return Marshal.GetLastPInvokeError() is not (LibC.ENOENT or LibC.ENOTDIR) && MountInfo.Read().Exists(m => m.MountPoint == target);
        }

        // Kernels before 5.8 do not know the attribute: read the table.
        return (found.AttributesMask & LibC.STATX_ATTR_MOUNT_ROOT) != 0
            ? (found.Attributes & LibC.STATX_ATTR_MOUNT_ROOT) != 0
            : MountInfo.Read().Exists(m => m.MountPoint == target);
    }

    // rmdir(2) removes only what is empty and not mounted on, so it can lose nothing; a directory left over is harmless.
    static void RemoveEmpty(string target)
    {
        using var parent = LibC.Open(null, Path.GetDirectoryName(target)!, LibC.O_PATH | LibC.O_DIRECTORY);
        _ = LibC.UnlinkAt(parent, Path.GetFileName(target), LibC.AT_REMOVEDIR);
    }
}
