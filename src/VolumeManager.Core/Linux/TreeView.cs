using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>
/// A directory tree for a program that walks it by paths while others change it: mounted nowhere, read-only, and with symbolic links that can be read but lead nowhere. However entries
/// are swapped meanwhile, no path that begins in it leaves it.
/// </summary>
/// <remarks>open_tree(2) and mount_setattr(2) with MOUNT_ATTR_NOSYMFOLLOW, since Linux 5.14. It goes with the last descriptor.</remarks>
internal static partial class TreeView
{
    // The same on all architectures that are younger than these calls.
    const long OpenTreeCall = 428;
    const long MountSetAttributesCall = 442;
    const long OpenTreeClone = 1;
    const ulong ReadOnly = 0x1;
    const ulong NoSetUid = 0x2;
    const ulong NoDevices = 0x4;
    const ulong NoFollow = 0x200000;

    /// <param name="directory">What else is mounted below it is not part of the view.</param>
    /// <returns>Null where the kernel cannot do that.</returns>
    internal static SafeFileHandle? TryOpen(SafeFileHandle directory)
    {
        var descriptor = OpenTree(OpenTreeCall, directory, "", OpenTreeClone | LibC.AT_EMPTY_PATH | LibC.O_CLOEXEC);
        if (descriptor < 0) return null;
        var view = new SafeFileHandle((nint)descriptor, ownsHandle: true);
        var wanted = new Attributes { Set = ReadOnly | NoSetUid | NoDevices | NoFollow };
        if (SetAttributes(MountSetAttributesCall, view, "", LibC.AT_EMPTY_PATH, in wanted, size: 32) == 0) return view;
        view.Dispose();
        return null;
    }

    /// <summary>struct mount_attr (linux/mount.h).</summary>
    [StructLayout(LayoutKind.Sequential)]
    struct Attributes
    {
        internal ulong Set;
        internal ulong Clear;
        internal ulong Propagation;
        internal ulong UserNamespace;
    }

    // The functions of their names are in glibc since 2.36 only.
    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial long OpenTree(long call, SafeFileHandle directory, string path, long flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial long SetAttributes(long call, SafeFileHandle directory, string path, long flags, in Attributes wanted, long size);
}
