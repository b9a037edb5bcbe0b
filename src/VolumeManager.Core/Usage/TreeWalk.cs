using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;

namespace VolumeManager.Usage;

/// <summary>
/// Measures a directory tree that containers fill, and may be filling now, as <c>du -x</c> does: links are not followed, a file with several names counts once, what is
/// mounted below is left out, and what vanishes meanwhile is no error. Neither open files nor memory grow without bounds, whatever a container makes.
/// </summary>
/// <param name="maxRemembered">Of how many files it remembers at a time that they have more names; of each name of any others a share is counted, which is the same in the end
/// if all names are in the tree.</param>
/// <param name="maxDepth">Deeper trees are not measured.</param>
internal sealed partial class TreeWalk(Pace pace, CancellationToken cancellation, int maxRemembered = 1_000_000, int maxDepth = 100_000)
{
    // Of a deep path as many directories stay open at its top and at its end. Those between are opened again from below when the walk comes back to them.
    const int KeptOpen = 32;

    const uint Mask = LibC.STATX_TYPE | LibC.STATX_INO | LibC.STATX_NLINK | LibC.STATX_BLOCKS;

    readonly List<Level> _path = [];

    // Files with several names of which one was seen, and how many are still to come.
    readonly Dictionary<ulong, uint> _severalNames = [];
    bool _isFull;
    double _sharedBytes;
    double _sharedFiles;
    (uint, uint) _device;
    long _bytes;
    long _files;
    long _steps;

    /// <summary>How far it has come: a walk whose steps stand still waits for the kernel.</summary>
    internal long Steps => Volatile.Read(ref _steps);

    /// <param name="top">Open for reading.</param>
    /// <exception cref="IOException">Something cannot be looked at, or the tree is too deep.</exception>
    /// <exception cref="OperationCanceledException">Between two steps.</exception>
    internal TreeUsage Measure(SafeFileHandle top)
    {
        var found = Look(top);
        _device = (found.DeviceMajor, found.DeviceMinor);
        Count(found);
        _path.Add(new Level(new DirectoryReader(top), found.Inode));
        try
        {
            for (; ; Step())
            {
                var reader = _path[^1].Reader;
                var name = reader.Next();
                if (!name.IsEmpty) Take(reader.Directory!, name);
                else if (_path.Count > 1) Leave();
                else break;
            }

            // A server that has lost the whole tree says of each part of it only that it vanished.
            _ = Look(top);
            return new TreeUsage(_bytes + (long)Math.Round(_sharedBytes), _files + (long)Math.Round(_sharedFiles));
        }
        finally
        {
            foreach (var level in _path) level.Reader.Dispose();
        }
    }

    void Step()
    {
        Volatile.Write(ref _steps, _steps + 1);
        pace.Step(cancellation);
    }

    void Take(SafeFileHandle directory, ReadOnlySpan<byte> name)
    {
        if (Statx(directory, in name[0], LibC.AT_SYMLINK_NOFOLLOW | LibC.AT_NO_AUTOMOUNT, Mask, out var found) < 0)
        {
            ThrowUnlessGone("statx", name);
            return;
        }

        if (IsMount(found)) return;
        Count(found);
        if (IsDirectory(found)) Enter(directory, name, found.Inode);
    }

    void Count(in LibC.StatxBuffer found)
    {
        var bytes = (long)found.Blocks * 512;
        if (found.Links > 1 && !IsDirectory(found))
        {
            if (IsCounted(found)) return;
            // From then on for ever: a file is counted by one rule or the other.
            if (_isFull |= _severalNames.Count >= maxRemembered)
            {
                _sharedBytes += (double)bytes / found.Links;
                _sharedFiles += 1.0 / found.Links;
                return;
            }

            _severalNames.Add(found.Inode, found.Links - 1);
        }

        _files++;
        _bytes += bytes;
    }

    /// <summary>Whether another name of the file was seen before. With its last name it is forgotten.</summary>
    bool IsCounted(in LibC.StatxBuffer found)
    {
        if (!_severalNames.TryGetValue(found.Inode, out var left)) return false;
        if (left > 1) _severalNames[found.Inode] = left - 1;
        else _severalNames.Remove(found.Inode);
        return true;
    }

    void Enter(SafeFileHandle directory, ReadOnlySpan<byte> name, ulong inode)
    {
        if (_path.Count >= maxDepth) throw new IOException($"it is deeper than {maxDepth} directories");
        if (Open(directory, name, inode) is not { } child) return;
        _path.Add(new Level(new DirectoryReader(child), inode));
        if (_path.Count > 2 * KeptOpen) _path[^(KeptOpen + 1)].Reader.Close();
    }

    /// <summary>Goes up. A directory that has been moved or removed meanwhile, and is not open, is left as well: the rest of it is passed over.</summary>
    void Leave()
    {
        using var left = _path[^1].Reader;
        _path.RemoveAt(_path.Count - 1);
        var (reader, inode) = _path[^1];
        if (reader.Directory is null && left.Directory is { } below && Open(below, "..\0"u8, inode) is { } directory) reader.Reopen(directory);
    }

    /// <summary>Opens what was looked at before; null when it is gone, or something else is in its place.</summary>
    SafeFileHandle? Open(SafeFileHandle directory, ReadOnlySpan<byte> name, ulong inode)
    {
        // Without a trace: a directory's time of access is its user's.
        var descriptor = OpenAt(directory, in name[0], LibC.O_RDONLY | LibC.O_DIRECTORY | LibC.O_NOFOLLOW | LibC.O_NOATIME | LibC.O_CLOEXEC);
        if (descriptor < 0)
        {
            ThrowUnlessGone("open", name);
            return null;
        }

        var opened = new SafeFileHandle(descriptor, ownsHandle: true);
        if (LibC.Statx(opened, "", LibC.AT_EMPTY_PATH, Mask, out var found) == 0 && found.Inode == inode && (found.DeviceMajor, found.DeviceMinor) == _device) return opened;
        opened.Dispose();
        return null;
    }

    bool IsMount(in LibC.StatxBuffer found) =>
        (found.DeviceMajor, found.DeviceMinor) != _device || (found.Attributes & (LibC.STATX_ATTR_MOUNT_ROOT | LibC.STATX_ATTR_AUTOMOUNT)) != 0;

    static bool IsDirectory(in LibC.StatxBuffer found) => (found.Mode & LibC.S_IFMT) == LibC.S_IFDIR;

    static LibC.StatxBuffer Look(SafeFileHandle top)
    {
        _ = LibC.Check(LibC.Statx(top, "", LibC.AT_EMPTY_PATH | LibC.AT_STATX_FORCE_SYNC, Mask, out var found), "statx", "directory");
        return found;
    }

    static void ThrowUnlessGone(string operation, ReadOnlySpan<byte> name)
    {
        if (Marshal.GetLastPInvokeError() is not (LibC.ENOENT or LibC.ESTALE or LibC.ENOTDIR or LibC.ELOOP) and var error)
        {
            throw new LinuxException(operation, Encoding.UTF8.GetString(name[..^1]), error);
        }
    }

    /// <summary>A directory on the way from the top to where the walk is.</summary>
    readonly record struct Level(DirectoryReader Reader, ulong Inode);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    private static partial int Statx(SafeFileHandle directory, in byte name, int flags, uint mask, out LibC.StatxBuffer found);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    private static partial int OpenAt(SafeFileHandle directory, in byte name, int flags);
}
