using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Copies;

/// <summary>Compares two directory trees entry by entry and byte by byte: kinds, owners, modes, sizes, times of change, devices, link targets, extended attributes, which names are one file, and contents.
/// Times of change are put right first: an NFS server that had lent a file to who wrote it stamps it anew when it gets it back (Linux, nfsd4_finalize_deleg_timestamps), whatever time was set meanwhile.</summary>
internal sealed partial class TreeComparison(Action compared, CancellationToken cancellation)
{
    const int MaxDepth = 2000;
    const int BlockSize = 1 << 20;
    const uint Mask = 0x7FF; // STATX_BASIC_STATS
    const int Dontneed = 4; // POSIX_FADV_DONTNEED
    const long OmitTime = 0x3FFFFFFE; // UTIME_OMIT

    static readonly string[] s_compared = ["user.", "trusted.", "system.posix_acl_"];

    // Files with several names: which of the copy is which of the source.
    readonly Dictionary<(uint, uint, ulong), ulong> _sameFile = [];

    /// <returns>Where they differ, and how, for an error; null when they are the same.</returns>
    /// <exception cref="LinuxException">Something cannot be read.</exception>
    internal string? Compare(SafeFileHandle source, SafeFileHandle copy) => CompareEntry(source, "."u8.ToArray(), copy, [], 0) ?? CompareWithin(source, copy, [], 0);

    string? CompareWithin(SafeFileHandle source, SafeFileHandle copy, byte[] path, int depth)
    {
        if (depth > MaxDepth) return $"{Text(path)} is deeper than {MaxDepth} directories, which cannot be compared";
        var left = Names(copy);
        foreach (var name in Names(source))
        {
            cancellation.ThrowIfCancellationRequested();
            compared();
            byte[] below = path.Length == 0 ? name : [.. path, (byte)'/', .. name];
            if (!left.Remove(name)) return $"{Text(below)} is missing in the copy";
            if (CompareEntry(source, name, copy, below, depth) is { } difference) return difference;
        }

        return left.Count == 0 ? null : $"{Text(left.First())} in {(path.Length == 0 ? "the copy" : Text(path))} is not in the source";
    }

    string? CompareEntry(SafeFileHandle source, byte[] name, SafeFileHandle copy, byte[] path, int depth)
    {
        var (a, b) = (Look(source, name), Look(copy, name));
        string? Different(string what, object was, object now) => $"{(path.Length == 0 ? "the directory" : Text(path))} has {what} {now} in the copy, {was} in the source";
        if (a.Mode != b.Mode) return Different("kind and mode", Convert.ToString(a.Mode, 8), Convert.ToString(b.Mode, 8));
        if ((a.Uid, a.Gid) != (b.Uid, b.Gid)) return Different("owner", $"{a.Uid}:{a.Gid}", $"{b.Uid}:{b.Gid}");
        var kind = a.Mode & LibC.S_IFMT;
        if ((a.RdevMajor, a.RdevMinor) != (b.RdevMajor, b.RdevMinor)) return Different("device", $"{a.RdevMajor}:{a.RdevMinor}", $"{b.RdevMajor}:{b.RdevMinor}");
        if (Modified(a) != Modified(b))
        {
            SetModified(copy, name, a);
            b = Look(copy, name);
            if (Modified(a) != Modified(b)) return Different("time of change", $"{a.ModifiedSeconds}.{a.ModifiedNanoseconds:D9}", $"{b.ModifiedSeconds}.{b.ModifiedNanoseconds:D9}");
        }

        if (kind != LibC.S_IFDIR && a.Size != b.Size) return Different("size", a.Size, b.Size);
        if (kind != LibC.S_IFDIR && a.Links > 1)
        {
            var file = (a.DeviceMajor, a.DeviceMinor, a.Inode);
            if (_sameFile.TryGetValue(file, out var inode)) return inode == b.Inode ? null : $"{Text(path)} is another name of a file in the source, and a file of its own in the copy";
            _sameFile.Add(file, b.Inode);
        }

        if (kind == LibC.S_IFLNK) return ReadLink(source, name).AsSpan().SequenceEqual(ReadLink(copy, name)) ? null : $"{Text(path)} points elsewhere in the copy";
        if (kind is not (LibC.S_IFREG or LibC.S_IFDIR)) return null;
        var flags = LibC.O_RDONLY | LibC.O_NOFOLLOW | LibC.O_NOATIME | (kind == LibC.S_IFDIR ? LibC.O_DIRECTORY : 0);
        using var from = Open(source, name, flags);
        using var to = Open(copy, name, flags);
        if (!Attributes(from).SequenceEqual(Attributes(to), StringComparer.Ordinal)) return $"{(path.Length == 0 ? "the directory" : Text(path))} has other extended attributes in the copy: see that both file systems keep them";
        if (kind == LibC.S_IFREG) return HasSameContent(from, to) ? null : $"{Text(path)} has another content in the copy";
        return path.Length == 0 ? null : CompareWithin(from, to, path, depth + 1);
    }

    bool HasSameContent(SafeFileHandle from, SafeFileHandle to)
    {
        // What the copy's file system has, and not what this host remembers of having written.
        _ = Fadvise(to, 0, 0, Dontneed);
        var (a, b) = (ArrayPool<byte>.Shared.Rent(BlockSize), ArrayPool<byte>.Shared.Rent(BlockSize));
        try
        {
            for (long at = 0; ;)
            {
                cancellation.ThrowIfCancellationRequested();
                compared();
                var (read, readThere) = (Fill(from, a.AsSpan(0, BlockSize), at), Fill(to, b.AsSpan(0, BlockSize), at));
                if (!a.AsSpan(0, read).SequenceEqual(b.AsSpan(0, readThere))) return false;
                if (read < BlockSize) return true;
                at += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(a);
            ArrayPool<byte>.Shared.Return(b);
        }
    }

    static int Fill(SafeFileHandle file, Span<byte> buffer, long at)
    {
        var filled = 0;
        for (int read; filled < buffer.Length && (read = RandomAccess.Read(file, buffer[filled..], at + filled)) > 0;) filled += read;
        return filled;
    }

    static HashSet<byte[]> Names(SafeFileHandle directory)
    {
        var names = new HashSet<byte[]>(BytesComparer.Instance);
        while (DirectoryEntries.ReadNext(directory) is { Count: > 0 } some) names.UnionWith(some.Select(n => n[..^1]));
        return names;
    }

    /// <summary>What users, access lists and file systems within file systems (overlayfs) are, in the order of their names. What else there is belongs to a host's security module,
    /// or is how one kind of file system shows what is compared already: <c>system.nfs4_acl</c>, <c>trusted.SGI_ACL_FILE</c>, <c>btrfs.compression</c>.</summary>
    static SortedSet<string> Attributes(SafeFileHandle file)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        var names = new byte[65536];
        var length = (int)ListAttributes(file, names, names.Length);
        if (length < 0) return Marshal.GetLastPInvokeError() == LibC.EOPNOTSUPP ? found : throw new LinuxException("flistxattr", "a file", Marshal.GetLastPInvokeError());
        var value = new byte[65536];
        foreach (var name in Encoding.UTF8.GetString(names, 0, length).Split('\0', StringSplitOptions.RemoveEmptyEntries).Where(IsOfTheData))
        {
            var size = (int)GetAttribute(file, name, value, value.Length);
            LibC.Check(size, "fgetxattr", name);
            found.Add($"{name}={Convert.ToBase64String(value, 0, size)}");
        }

        return found;
    }

    static bool IsOfTheData(string attribute) =>
        attribute == "security.capability"
        || (s_compared.Any(prefix => attribute.StartsWith(prefix, StringComparison.Ordinal)) && !attribute.StartsWith("trusted.SGI_", StringComparison.Ordinal));

    static LibC.StatxBuffer Look(SafeFileHandle directory, byte[] name)
    {
        LibC.Check(Statx(directory, [.. name, 0], LibC.AT_SYMLINK_NOFOLLOW | LibC.AT_NO_AUTOMOUNT | LibC.AT_STATX_FORCE_SYNC, Mask, out var found), "statx", Text(name));
        return found;
    }

    static (long, uint) Modified(in LibC.StatxBuffer entry) => (entry.ModifiedSeconds, entry.ModifiedNanoseconds);

    static void SetModified(SafeFileHandle directory, byte[] name, LibC.StatxBuffer like)
    {
        // The time of the last access stays as it is.
        long[] times = [0, OmitTime, like.ModifiedSeconds, like.ModifiedNanoseconds];
        LibC.Check(UtimensAt(directory, [.. name, 0], times, LibC.AT_SYMLINK_NOFOLLOW), "utimensat", Text(name));
    }

    static SafeFileHandle Open(SafeFileHandle directory, byte[] name, int flags) => new(LibC.Check(OpenAt(directory, [.. name, 0], flags | LibC.O_CLOEXEC), "open", Text(name)), ownsHandle: true);

    static byte[] ReadLink(SafeFileHandle directory, byte[] name)
    {
        var target = new byte[4096];
        return target[..(int)LibC.Check((int)ReadLinkAt(directory, [.. name, 0], target, target.Length), "readlink", Text(name))];
    }

    static string Text(byte[] name) => Quoted.Text(Encoding.UTF8.GetString(name));

    sealed class BytesComparer : IEqualityComparer<byte[]>
    {
        internal static readonly BytesComparer Instance = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(byte[] bytes)
        {
            var hash = new HashCode();
            hash.AddBytes(bytes);
            return hash.ToHashCode();
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(SafeFileHandle directory, byte[] name, int flags, uint mask, out LibC.StatxBuffer found);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    private static partial int OpenAt(SafeFileHandle directory, byte[] name, int flags);

    [LibraryImport("libc", EntryPoint = "utimensat", SetLastError = true)]
    private static partial int UtimensAt(SafeFileHandle directory, byte[] name, long[] times, int flags);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    private static partial nint ReadLinkAt(SafeFileHandle directory, byte[] name, byte[] target, nint size);

    [LibraryImport("libc", EntryPoint = "flistxattr", SetLastError = true)]
    private static partial nint ListAttributes(SafeFileHandle file, byte[] names, nint size);

    [LibraryImport("libc", EntryPoint = "fgetxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint GetAttribute(SafeFileHandle file, string name, byte[] value, nint size);

    [LibraryImport("libc", EntryPoint = "posix_fadvise", SetLastError = true)]
    private static partial int Fadvise(SafeFileHandle file, long offset, long length, int advice);
}
