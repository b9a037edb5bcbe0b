using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>
/// Project quotas of XFS and ext4: every file and directory has a project id, new ones that of their directory if it says so, and the kernel counts and limits what
/// the files of one project hold together. See quotactl(2) and ioctl_xfs_fsgetxattr(2).
/// </summary>
/// <remarks>
/// XFS and ext4 both know XFS's commands of quotactl(2). All directories are opened for reading: O_PATH will not do. On ext4 no limit holds for who has CAP_SYS_RESOURCE
/// (capabilities(7)): root of the host, of a privileged container, and of an NFS client whose root is not squashed.
/// </remarks>
internal static partial class ProjectQuota
{
    /// <summary>What the kernel's figures are in (linux/dqblk_xfs.h), whatever the file system's blocks are.</summary>
    const int BlockSize = 512;

    /// <summary>What a file system does with projects.</summary>
    internal enum Mode { None, Counts, Limits }

    /// <param name="Id">0 for what was never given to a project.</param>
    /// <param name="Inherits">What is made in the directory gets its project.</param>
    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Project(uint Id, bool Inherits);

    /// <summary>What a project holds.</summary>
    /// <param name="Bytes">On disk, what is promised to writes that are not on disk yet included.</param>
    /// <param name="Files">Inodes, those of files that are deleted and still open included.</param>
    /// <param name="Limit">Bytes that it may hold; 0 for no limit.</param>
    [StructLayout(LayoutKind.Auto)]
    internal readonly record struct Usage(long Bytes, long Files, long Limit);

    /// <exception cref="LinuxException">The file system cannot be asked.</exception>
    internal static unsafe Mode ModeOf(SafeFileHandle directory)
    {
        // struct fs_quota_stat: version s8, flags u16 at 2, and figures of which none is read.
        Span<byte> state = stackalloc byte[128];
        fixed (byte* start = state)
        {
            switch (Call(directory, LibC.Q_XGETQSTAT, id: 0, start))
            {
                case 0:
                    var flags = MemoryMarshal.Read<ushort>(state[2..]);
                    return (flags & LibC.FS_QUOTA_PDQ_ACCT) == 0 ? Mode.None : (flags & LibC.FS_QUOTA_PDQ_ENFD) == 0 ? Mode.Counts : Mode.Limits;
                // It knows no quotas, none of projects, none are on, or it has no block device.
                case LibC.ENOSYS or LibC.EINVAL or LibC.ENODEV:
                    return Mode.None;
                case var error:
                    throw new LinuxException("quotactl", "Q_XGETQSTAT", error);
            }
        }
    }

    /// <exception cref="LinuxException">The file system has no projects.</exception>
    internal static Project ProjectOf(SafeFileHandle directory)
    {
        var attributes = new FsXattr();
        LibC.Check(Ioctl(directory, LibC.FS_IOC_FSGETXATTR, ref attributes), "ioctl", "FS_IOC_FSGETXATTR");
        return new Project(attributes.Project, (attributes.Flags & LibC.FS_XFLAG_PROJINHERIT) != 0);
    }

    /// <summary>Gives a directory to a project, and with it what will be made in it. What is in it already stays where it was.</summary>
    internal static void SetProject(SafeFileHandle directory, uint id)
    {
        var attributes = new FsXattr();
        LibC.Check(Ioctl(directory, LibC.FS_IOC_FSGETXATTR, ref attributes), "ioctl", "FS_IOC_FSGETXATTR");
        attributes.Project = id;
        attributes.Flags |= LibC.FS_XFLAG_PROJINHERIT;
        LibC.Check(Ioctl(directory, LibC.FS_IOC_FSSETXATTR, ref attributes), "ioctl", "FS_IOC_FSSETXATTR");
    }

    /// <summary>What the kernel knows of a project of the file system that a directory lies on; zeros if it knows nothing.</summary>
    internal static unsafe Usage UsageOf(SafeFileHandle directory, uint id)
    {
        var quota = new FsDiskQuota();
        return Call(directory, LibC.Q_XGETQUOTA, id, &quota) switch
        {
            0 => new Usage((long)quota.Blocks * BlockSize, (long)quota.Inodes, (long)quota.BlockHardLimit * BlockSize),
            LibC.ENOENT => default,
            var error => throw new LinuxException("quotactl", "Q_XGETQUOTA", error),
        };
    }

    /// <summary>Sets what a project may hold, in bytes, rounded up to the file system's blocks; 0 for no limit. Less than it holds now is allowed: it can only shrink then.</summary>
    internal static unsafe void SetLimit(SafeFileHandle directory, uint id, long bytes)
    {
        var quota = new FsDiskQuota
        {
            Version = LibC.FS_DQUOT_VERSION,
            Flags = LibC.FS_PROJ_QUOTA,
            FieldMask = LibC.FS_DQ_BHARD,
            Id = id,
            BlockHardLimit = ((ulong)bytes + BlockSize - 1) / BlockSize,
        };
        var error = Call(directory, LibC.Q_XSETQLIM, id, &quota);
        if (error != 0) throw new LinuxException("quotactl", "Q_XSETQLIM", error);
    }

    /// <returns>0 or errno.</returns>
    static unsafe int Call(SafeFileHandle directory, uint command, uint id, void* data)
    {
        command = (command << LibC.SUBCMDSHIFT) | LibC.PRJQUOTA;
        var result = s_knowsDescriptors
            ? (int)Syscall(QuotactlFd, (int)directory.DangerousGetHandle(), command, id, data)
            : Quotactl(command, DeviceOf(directory), id, data);
        var error = result < 0 ? Marshal.GetLastPInvokeError() : 0;
        GC.KeepAlive(directory);
        return error;
    }

    // Since Linux 5.14. Before, the file system is named by its block device, which a container may not see.
    static readonly unsafe bool s_knowsDescriptors = Syscall(QuotactlFd, -1, LibC.Q_XGETQSTAT << LibC.SUBCMDSHIFT, 0, null) < 0 && Marshal.GetLastPInvokeError() == LibC.EBADF;

    /// <summary>As the kernel names it; null for a file system without one, which has no project quotas.</summary>
    static string? DeviceOf(SafeFileHandle directory)
    {
        LibC.Check(LibC.Statx(directory, "", LibC.AT_EMPTY_PATH, LibC.STATX_TYPE, out var found), "statx", "");
        var properties = $"/sys/dev/block/{found.DeviceMajor}:{found.DeviceMinor}/uevent";
        const string key = "DEVNAME=";
        return !File.Exists(properties) ? null : Array.Find(File.ReadAllLines(properties), line => line.StartsWith(key, StringComparison.Ordinal)) is { } name ? $"/dev/{name[key.Length..]}" : null;
    }

    // The same number on all architectures. No libc has a function for it.
    const nint QuotactlFd = 443;

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial nint Syscall(nint number, int descriptor, uint command, uint id, void* data);

    [LibraryImport("libc", EntryPoint = "quotactl", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Quotactl(uint command, string? device, uint id, void* data);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Ioctl(SafeFileHandle file, ulong request, ref FsXattr attributes);

    /// <summary>struct fsxattr (linux/fs.h): its 28 bytes, of which two fields are looked at here and the others given back as they were.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 28)]
    internal struct FsXattr
    {
        [FieldOffset(0)] internal uint Flags;
        [FieldOffset(4)] internal uint ExtentSize;
        [FieldOffset(12)] internal uint Project;
        [FieldOffset(16)] internal uint CopyOnWriteExtentSize;
    }

    /// <summary>The parts of struct fs_disk_quota (linux/dqblk_xfs.h) that are used here.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 112)]
    internal struct FsDiskQuota
    {
        [FieldOffset(0)] internal sbyte Version;
        [FieldOffset(1)] internal sbyte Flags;
        [FieldOffset(2)] internal ushort FieldMask;
        [FieldOffset(4)] internal uint Id;
        [FieldOffset(8)] internal ulong BlockHardLimit;
        [FieldOffset(40)] internal ulong Blocks;
        [FieldOffset(48)] internal ulong Inodes;
    }
}
