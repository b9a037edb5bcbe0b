using System.Runtime.InteropServices;

namespace VolumeManager.Linux;

/// <summary>How much room a file system has for those who are not root.</summary>
/// <param name="Bytes">In all.</param>
/// <param name="Files">Inodes in all; zero where the file system makes them as it needs them.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly partial record struct FileSystemSpace(long Bytes, long FreeBytes, long Files, long FreeFiles)
{
    /// <exception cref="LinuxException">It cannot be asked.</exception>
    internal static FileSystemSpace Of(string path)
    {
        LibC.Check(Statvfs(path, out var found), "statvfs", path);
        var block = (long)found.FragmentSize;
        return new FileSystemSpace((long)found.Blocks * block, (long)found.AvailableBlocks * block, (long)found.Files, (long)found.AvailableFiles);
    }

    /// <summary>struct statvfs of 64-bit systems (statvfs(3)).</summary>
    [StructLayout(LayoutKind.Explicit, Size = 112)]
    internal struct StatvfsBuffer
    {
        [FieldOffset(8)]
        internal ulong FragmentSize;
        [FieldOffset(16)]
        internal ulong Blocks;
        [FieldOffset(32)]
        internal ulong AvailableBlocks;
        [FieldOffset(40)]
        internal ulong Files;
        [FieldOffset(56)]
        internal ulong AvailableFiles;
    }

    [LibraryImport("libc", EntryPoint = "statvfs", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statvfs(string path, out StatvfsBuffer found);
}
