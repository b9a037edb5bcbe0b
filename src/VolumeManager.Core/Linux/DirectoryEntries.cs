using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>The names in a directory as the bytes they are: containers may write names that are no UTF-8, which a string would not bring back.</summary>
internal static partial class DirectoryEntries
{
    /// <summary>Reads the next names from an open directory, each ended by a zero byte, without "." and "..". Empty at the end.</summary>
    /// <exception cref="LinuxException">The directory cannot be read.</exception>
    internal static List<byte[]> ReadNext(SafeFileHandle directory)
    {
        var names = new List<byte[]>();
        Span<byte> buffer = stackalloc byte[16 * 1024];
        while (names.Count == 0)
        {
            var length = Read(directory, buffer);
            if (length == 0) break;
            for (var at = 0; at < length;)
            {
                var name = First(buffer[at..length], out var size, out _);
                if (!name.IsEmpty) names.Add(name.ToArray());
                at += size;
            }
        }

        return names;
    }

    /// <summary>Reads the next entries as the kernel writes them.</summary>
    /// <returns>How many bytes; none at the end.</returns>
    /// <exception cref="LinuxException">The directory cannot be read.</exception>
    internal static unsafe int Read(SafeFileHandle directory, Span<byte> buffer)
    {
        fixed (byte* start = buffer) return LibC.Check((int)Syscall(Getdents64, directory, start, (nuint)buffer.Length), "getdents64", "directory");
    }

    /// <summary>The name of the first of the entries that <see cref="Read"/> has read, ended by a zero byte; empty for "." and "..".</summary>
    /// <param name="size">How many bytes the entry takes.</param>
    /// <param name="position">The kernel's own mark behind it.</param>
    /// <remarks>getdents64(2): d_ino u64, d_off s64, d_reclen u16, d_type u8, d_name to a zero byte.</remarks>
    internal static ReadOnlySpan<byte> First(ReadOnlySpan<byte> entries, out int size, out long position)
    {
        position = BinaryPrimitives.ReadInt64LittleEndian(entries[8..]);
        size = BinaryPrimitives.ReadUInt16LittleEndian(entries[16..]);
        var name = entries[19..size];
        name = name[..(name.IndexOf((byte)0) + 1)];
        return name.SequenceEqual(".\0"u8) || name.SequenceEqual("..\0"u8) ? [] : name;
    }

    // Not libc's getdents64(): glibc has it since 2.30 only, and .NET runs on 2.27.
    static readonly nint Getdents64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 61 : 217;

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static unsafe partial nint Syscall(nint number, SafeFileHandle descriptor, byte* buffer, nuint length);
}
