using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>The system calls that volman makes, under the kernel's own names. A test compiles a C program to check the constants.</summary>
/// <remarks>Every function returns -1 and sets errno on failure: see section 2 of the manual. <see cref="Check"/> turns that into an exception.</remarks>
internal static partial class LibC
{
    internal const int AT_FDCWD = -100;
    internal const int AT_REMOVEDIR = 0x200;
    internal const int AT_SYMLINK_NOFOLLOW = 0x100;
    internal const int AT_NO_AUTOMOUNT = 0x800;
    internal const int AT_EMPTY_PATH = 0x1000;
    internal const int AT_STATX_DONT_SYNC = 0x4000;
    internal const int AT_STATX_FORCE_SYNC = 0x2000;

    internal const int O_RDONLY = 0;
    internal const int O_RDWR = 0x2;
    internal const int O_CREAT = 0x40;
    internal const int O_PATH = 0x200000;
    internal const int O_NOATIME = 0x40000;
    internal const int O_CLOEXEC = 0x80000;

    // These two differ between x86 and ARM (asm/fcntl.h).
    internal static readonly int O_DIRECTORY = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x4000 : 0x10000;
    internal static readonly int O_NOFOLLOW = RuntimeInformation.ProcessArchitecture is Architecture.Arm64 or Architecture.Arm ? 0x8000 : 0x20000;

    internal const ulong MS_RDONLY = 0x1;
    internal const ulong MS_NOSUID = 0x2;
    internal const ulong MS_NODEV = 0x4;
    internal const ulong MS_NOEXEC = 0x8;
    internal const ulong MS_REMOUNT = 0x20;
    internal const ulong MS_NOATIME = 0x400;
    internal const ulong MS_BIND = 0x1000;

    internal const int UMOUNT_NOFOLLOW = 0x8;
    internal const int MNT_DETACH = 0x2;
    internal const uint RENAME_NOREPLACE = 0x1;

    internal const int LOCK_EX = 2;
    internal const int LOCK_NB = 4;

    internal const uint STATX_TYPE = 0x1;
    internal const uint STATX_NLINK = 0x4;
    internal const uint STATX_INO = 0x100;
    internal const uint STATX_BLOCKS = 0x400;
    internal const ulong STATX_ATTR_AUTOMOUNT = 0x1000;
    internal const ulong STATX_ATTR_MOUNT_ROOT = 0x2000;
    internal const uint PRJQUOTA = 2;
    internal const int SUBCMDSHIFT = 8;
    internal const uint Q_XGETQUOTA = 0x5803;
    internal const uint Q_XSETQLIM = 0x5804;
    internal const uint Q_XGETQSTAT = 0x5805;
    internal const ushort FS_QUOTA_PDQ_ACCT = 0x10;
    internal const ushort FS_QUOTA_PDQ_ENFD = 0x20;
    internal const ushort FS_DQ_BHARD = 0x8;
    internal const sbyte FS_DQUOT_VERSION = 1;
    internal const sbyte FS_PROJ_QUOTA = 2;
    internal const ulong FS_IOC_FSGETXATTR = 0x801C581F;
    internal const ulong FS_IOC_FSSETXATTR = 0x401C5820;
    internal const uint FS_XFLAG_PROJINHERIT = 0x200;

    internal const int S_IFMT = 0xF000;
    internal const int S_IFDIR = 0x4000;
    internal const int S_IFREG = 0x8000;
    internal const int S_IFLNK = 0xA000;
    internal const int S_IFSOCK = 0xC000;

    internal const int ENOENT = 2;
    internal const int EBUSY = 16;
    internal const int EEXIST = 17;
    internal const int EXDEV = 18;
    internal const int ENOTDIR = 20;
    internal const int EINVAL = 22;
    internal const int EISDIR = 21;
    internal const int EPERM = 1;
    internal const int ENOTEMPTY = 39;
    internal const int ELOOP = 40;
    internal const int EACCES = 13;
    internal const int ENODEV = 19;
    internal const int EROFS = 30;
    internal const int ETIMEDOUT = 110;
    internal const int ECONNREFUSED = 111;
    internal const int EPROTONOSUPPORT = 93;
    internal const int EPROTO = 71;
    internal const int EIO = 5;
    internal const int ESTALE = 116;
    internal const int EBADF = 9;
    internal const int ENOSYS = 38;
    internal const int EOPNOTSUPP = 95;

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Mount(string? source, string target, string? type, ulong flags, string? data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Umount2(string target, int flags);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenAt(int directory, string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int MkdirAt(SafeFileHandle directory, string path, uint mode);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int UnlinkAt(SafeFileHandle directory, string path, int flags);

    [LibraryImport("libc", EntryPoint = "renameat2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int RenameAt2(SafeFileHandle oldDirectory, string oldPath, SafeFileHandle newDirectory, string newPath, uint flags);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    internal static partial int Fchown(SafeFileHandle file, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    internal static partial int Fchmod(SafeFileHandle file, uint mode);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    internal static partial int Fsync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    internal static partial int Flock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Statx(SafeFileHandle directory, string path, int flags, uint mask, out StatxBuffer buffer);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Statx(int directory, string path, int flags, uint mask, out StatxBuffer buffer);

    /// <summary>openat(2), with the file descriptor owned by a handle; -1 becomes an exception.</summary>
    /// <exception cref="LinuxException">The call failed; its errno says why.</exception>
    internal static SafeFileHandle Open(SafeFileHandle? directory, string path, int flags, uint mode = 0)
    {
        var descriptor = OpenAt(directory is null ? AT_FDCWD : (int)directory.DangerousGetHandle(), path, flags | O_CLOEXEC, mode);
        GC.KeepAlive(directory);
        return new SafeFileHandle(Check(descriptor, "open", path), ownsHandle: true);
    }

    /// <summary>Throws when <paramref name="result"/> is -1, naming the operation and its target.</summary>
    internal static int Check(int result, string operation, string target) =>
        result >= 0 ? result : throw new LinuxException(operation, target, Marshal.GetLastPInvokeError());

    /// <summary>The parts of struct statx (linux/stat.h, 256 bytes) that are read here.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct StatxBuffer
    {
        [FieldOffset(8)] internal ulong Attributes;
        [FieldOffset(16)] internal uint Links;
        [FieldOffset(20)] internal uint Uid;
        [FieldOffset(24)] internal uint Gid;
        [FieldOffset(28)] internal ushort Mode;
        [FieldOffset(32)] internal ulong Inode;
        [FieldOffset(40)] internal ulong Size;
        [FieldOffset(48)] internal ulong Blocks;
        [FieldOffset(56)] internal ulong AttributesMask;
        [FieldOffset(112)] internal long ModifiedSeconds;
        [FieldOffset(120)] internal uint ModifiedNanoseconds;
        [FieldOffset(128)] internal uint RdevMajor;
        [FieldOffset(132)] internal uint RdevMinor;
        [FieldOffset(136)] internal uint DeviceMajor;
        [FieldOffset(140)] internal uint DeviceMinor;
    }
}
