using System.Reflection;
using System.Runtime.InteropServices;
using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

/// <summary>Compares what we write down of the kernel with what the C compiler reads in its headers.</summary>
[Trait("Catalog", "none")]
public sealed class LibCTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [CompilerFact]
    public async Task Every_constant_is_the_headers_own()
    {
        var constants = typeof(LibC).GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.DeclaredOnly)
            .ToDictionary(f => f.Name, f => Convert.ToInt64(f.GetValue(null)), StringComparer.Ordinal);
        Assert.InRange(constants.Count, 30, 1000);
        foreach (var name in new[] { "O_DIRECTORY", "O_NOFOLLOW", "MS_BIND", "STATX_ATTR_MOUNT_ROOT", "RENAME_NOREPLACE", "ELOOP", "Q_XSETQLIM", "FS_IOC_FSSETXATTR" }) Assert.Contains(name, constants);
        Assert.Equal(constants, await CompiledAsync(constants.Keys));
    }

    [CompilerFact]
    public async Task The_attributes_of_statx_are_where_the_kernel_writes_them()
    {
        var compiled = await CompiledAsync(
        [
            "offsetof(struct statx, stx_attributes)", "offsetof(struct statx, stx_attributes_mask)", "offsetof(struct statx, stx_nlink)", "offsetof(struct statx, stx_blocks)", "sizeof(struct statx)",
        ]);
        Assert.Equal(
            [
                OffsetOf<LibC.StatxBuffer>(nameof(LibC.StatxBuffer.Attributes)), OffsetOf<LibC.StatxBuffer>(nameof(LibC.StatxBuffer.AttributesMask)), OffsetOf<LibC.StatxBuffer>(nameof(LibC.StatxBuffer.Links)), OffsetOf<LibC.StatxBuffer>(nameof(LibC.StatxBuffer.Blocks)),
                Marshal.SizeOf<LibC.StatxBuffer>(),
            ],
            compiled.Values);
    }

    [CompilerFact]
    public async Task The_names_of_getdents64_are_where_the_kernel_writes_them()
    {
        var number = (nint)typeof(DirectoryEntries).GetField("Getdents64", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;
        var compiled = await CompiledAsync(
            ["SYS_getdents64", "offsetof(struct dirent64, d_off)", "offsetof(struct dirent64, d_reclen)", "offsetof(struct dirent64, d_name)", "sizeof(((struct dirent64 *)0)->d_reclen)"]);
        Assert.Equal([number, 8, 16, 19, 2], compiled.Values);
    }

    [CompilerFact]
    public async Task Projects_and_their_quotas_are_where_the_kernel_has_them()
    {
        var compiled = await CompiledAsync(
        [
            "SYS_quotactl_fd", "offsetof(struct fs_quota_stat, qs_flags)", "sizeof(struct fs_quota_stat) > 128",
            "offsetof(struct fsxattr, fsx_xflags)", "offsetof(struct fsxattr, fsx_projid)", "sizeof(struct fsxattr)",
            "offsetof(struct fs_disk_quota, d_fieldmask)", "offsetof(struct fs_disk_quota, d_id)", "offsetof(struct fs_disk_quota, d_blk_hardlimit)",
            "offsetof(struct fs_disk_quota, d_bcount)", "offsetof(struct fs_disk_quota, d_icount)", "sizeof(struct fs_disk_quota)",
        ]);
        Assert.Equal(
        [
            443, 2, 0,
            OffsetOf<ProjectQuota.FsXattr>(nameof(ProjectQuota.FsXattr.Flags)), OffsetOf<ProjectQuota.FsXattr>(nameof(ProjectQuota.FsXattr.Project)), Marshal.SizeOf<ProjectQuota.FsXattr>(),
            OffsetOf<ProjectQuota.FsDiskQuota>(nameof(ProjectQuota.FsDiskQuota.FieldMask)), OffsetOf<ProjectQuota.FsDiskQuota>(nameof(ProjectQuota.FsDiskQuota.Id)),
            OffsetOf<ProjectQuota.FsDiskQuota>(nameof(ProjectQuota.FsDiskQuota.BlockHardLimit)), OffsetOf<ProjectQuota.FsDiskQuota>(nameof(ProjectQuota.FsDiskQuota.Blocks)),
            OffsetOf<ProjectQuota.FsDiskQuota>(nameof(ProjectQuota.FsDiskQuota.Inodes)), Marshal.SizeOf<ProjectQuota.FsDiskQuota>(),
        ], compiled.Values);
    }

    [CompilerFact]
    public async Task The_room_of_a_file_system_is_where_the_library_writes_it()
    {
        var compiled = await CompiledAsync(
        [
            "offsetof(struct statvfs, f_frsize)", "offsetof(struct statvfs, f_blocks)", "offsetof(struct statvfs, f_bavail)", "offsetof(struct statvfs, f_files)", "offsetof(struct statvfs, f_favail)",
            "sizeof(struct statvfs)", "sizeof(((struct statvfs *)0)->f_blocks)",
        ]);
        Assert.Equal(
        [
            OffsetOf<FileSystemSpace.StatvfsBuffer>(nameof(FileSystemSpace.StatvfsBuffer.FragmentSize)), OffsetOf<FileSystemSpace.StatvfsBuffer>(nameof(FileSystemSpace.StatvfsBuffer.Blocks)),
            OffsetOf<FileSystemSpace.StatvfsBuffer>(nameof(FileSystemSpace.StatvfsBuffer.AvailableBlocks)), OffsetOf<FileSystemSpace.StatvfsBuffer>(nameof(FileSystemSpace.StatvfsBuffer.Files)),
            OffsetOf<FileSystemSpace.StatvfsBuffer>(nameof(FileSystemSpace.StatvfsBuffer.AvailableFiles)), Marshal.SizeOf<FileSystemSpace.StatvfsBuffer>(), 8,
        ], compiled.Values);
    }

    static long OffsetOf<T>(string field) => Marshal.OffsetOf<T>(field);

    /// <summary>What a C program says of each expression, in their order.</summary>
    async Task<Dictionary<string, long>> CompiledAsync(IEnumerable<string> expressions)
    {
        var source = _folder.Of("say.c");
        string[] headers = ["stdio.h", "stddef.h", "errno.h", "fcntl.h", "dirent.h", "sys/stat.h", "sys/statvfs.h", "sys/mount.h", "sys/file.h", "sys/syscall.h", "linux/fs.h", "linux/quota.h", "linux/dqblk_xfs.h"];
        await File.WriteAllLinesAsync(source,
        [
            "#define _GNU_SOURCE",
            .. headers.Select(header => $"#include <{header}>"),
            "int main(void) {",
            .. expressions.Select(e => $"    printf(\"%s=%lld\\n\", \"{e}\", (long long)({e}));"),
            "}",
        ]);
        var program = _folder.Of("say");
        await Command.OutputOfAsync("gcc", "-o", program, source);
        var said = await Command.OutputOfAsync(program);
        return said.Split('\n').Select(line => line.Split('=')).ToDictionary(pair => pair[0], pair => long.Parse(pair[1]), StringComparer.Ordinal);
    }
}
