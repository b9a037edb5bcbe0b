using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>
/// A directory under which others are opened, made, renamed and removed by relative path, one component at a time and never through a symbolic link:
/// no name, however hostile, and no link that a container planted leads outside. Works on kernels without openat2(2).
/// </summary>
/// <remarks>The root is opened anew by each call: when its disk is mounted while we run, we are on the disk from then on, and not below it.</remarks>
internal sealed class DirectoryRoot
{
    readonly string _given;

    // Opened while nothing is mounted there it would be this host's own disk.
    readonly bool _isMountPoint;

    /// <param name="path">May itself be a symbolic link.</param>
    /// <param name="mode">With which it is made when it is missing.</param>
    internal DirectoryRoot(string path, UnixFileMode mode = OwnerOnly)
    {
        _given = path;
        if (!Directory.Exists(path)) Directory.CreateDirectory(path, mode);
        using var root = OpenRoot();
        Path = new DirectoryInfo($"/proc/self/fd/{(int)root.DangerousGetHandle()}").LinkTarget ?? path;
    }

    DirectoryRoot(string path, bool isMountPoint) => (Path, _given, _isMountPoint) = (path, path, isMountPoint);

    /// <summary>A root that is a mount point, and may not be mounted or may not answer now: nothing is asked of it before it is used.</summary>
    /// <param name="path">Free of symbolic links.</param>
    internal static DirectoryRoot MountedAt(string path) => new(path, isMountPoint: true);

    /// <summary>Of what volumes lie in. Containers make set-uid programs there, which no other user of the host may reach (CVE-2021-41091).</summary>
    internal const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Of what leads to mount points: what is there is reached by name, but not listed. A container with user namespaces comes this way as another user than root.</summary>
    internal const UnixFileMode Passable = OwnerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    /// <summary>Whether other users may enter. What earlier versions have made for them to enter is closed.</summary>
    internal bool IsOpenAfterClosing()
    {
        using var root = OpenRoot();
        LibC.Check(LibC.Statx(root, "", LibC.AT_EMPTY_PATH, LibC.STATX_TYPE, out var status), "statx", Path);
        var mode = (UnixFileMode)(status.Mode & 0xFFF);
        if (mode == Passable && LibC.Fchmod(root, (uint)OwnerOnly) == 0) return false;
        return (mode & (UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != UnixFileMode.None;
    }

    /// <summary>The directory's path without symbolic links.</summary>
    internal string Path { get; }

    /// <summary>Opens a directory below the root, or the root itself for an empty path.</summary>
    /// <exception cref="LinuxException">
    /// ENOENT: it does not exist. ENOTDIR or ELOOP: a component is no directory or is a symbolic link. EXDEV: the path is absolute or has a component that is
    /// empty, <c>.</c> or <c>..</c>, as of openat2(2) with RESOLVE_BENEATH.
    /// </exception>
    internal SafeFileHandle Open(string relative, int flags = LibC.O_PATH)
    {
        var components = Components(relative);
        var at = OpenRoot();
        try
        {
            foreach (var component in components)
            {
                var next = LibC.Open(at, component, LibC.O_PATH | LibC.O_NOFOLLOW | LibC.O_DIRECTORY);
                at.Dispose();
                at = next;
            }

            return LibC.Open(at, ".", flags | LibC.O_DIRECTORY);
        }
        finally
        {
            at.Dispose();
        }
    }

    /// <summary>Makes a directory below the root. Its owner and mode are set whatever the umask says.</summary>
    /// <returns>False when something of that name is there already; nothing is changed then.</returns>
    internal bool TryMake(string relative, uint mode, uint uid, uint gid)
    {
        CheckIsBelow(relative);
        using var parent = Open(Parent(relative));
        if (LibC.MkdirAt(parent, Name(relative), 0x1C0 /* 0700 */) < 0)
        {
            var error = Marshal.GetLastPInvokeError();
            return error == LibC.EEXIST ? false : throw new LinuxException("mkdir", $"{Path}/{relative}", error);
        }

        SetOwner(relative, mode, uid, gid);
        return true;
    }

    internal void SetOwner(string relative, uint mode, uint uid, uint gid)
    {
        using var directory = Open(relative, LibC.O_RDONLY);
        LibC.Check(LibC.Fchown(directory, uid, gid), "chown", $"{Path}/{relative}");
        LibC.Check(LibC.Fchmod(directory, mode), "chmod", $"{Path}/{relative}");
    }

    /// <summary>Whether a directory below the root is the one that is seen at <paramref name="other"/>.</summary>
    internal bool IsSame(string relative, string other)
    {
        using var directory = Open(relative);
        return IdOf($"/proc/self/fd/{(int)directory.DangerousGetHandle()}") == IdOf(other);
    }

    /// <summary>Whether a directory below the root is one that was opened before, wherever that was then. As long as that is open no other one gets its number.</summary>
    internal bool IsSame(string relative, SafeFileHandle opened)
    {
        try
        {
            using var directory = Open(relative);
            return IdOf(directory) == IdOf(opened);
        }
        catch (LinuxException e) when (e.Errno is LibC.ENOENT or LibC.ENOTDIR or LibC.ELOOP or LibC.ESTALE)
        {
            return false;
        }
    }

    /// <remarks>The server is asked, for the kernel may remember a directory that is deleted there.</remarks>
    static (uint, uint, ulong) IdOf(SafeFileHandle directory)
    {
        LibC.Check(LibC.Statx(directory, "", LibC.AT_EMPTY_PATH | LibC.AT_STATX_FORCE_SYNC, LibC.STATX_INO, out var found), "statx", "a directory");
        return (found.DeviceMajor, found.DeviceMinor, found.Inode);
    }

    static (uint, uint, ulong) IdOf(string path)
    {
        LibC.Check(LibC.Statx(LibC.AT_FDCWD, path, LibC.AT_NO_AUTOMOUNT, LibC.STATX_INO, out var found), "statx", path);
        return (found.DeviceMajor, found.DeviceMinor, found.Inode);
    }

    /// <summary>The names in a directory below the root that are text.</summary>
    internal List<string> List(string relative)
    {
        using var directory = Open(relative, LibC.O_RDONLY);
        var all = new List<string>();
        while (DirectoryEntries.ReadNext(directory) is { Count: > 0 } names) all.AddRange(names.Select(name => Encoding.UTF8.GetString(name.AsSpan(0, name.Length - 1))));
        return all;
    }

    internal bool IsEmpty(string relative)
    {
        using var directory = Open(relative, LibC.O_RDONLY);
        return DirectoryEntries.ReadNext(directory).Count == 0;
    }

    /// <summary>Removes a directory below the root if it is there and empty.</summary>
    internal void RemoveIfEmpty(string relative)
    {
        CheckIsBelow(relative);
        try
        {
            using var parent = Open(Parent(relative));
            _ = LibC.UnlinkAt(parent, Name(relative), LibC.AT_REMOVEDIR);
        }
        catch (LinuxException e) when (e.Errno is LibC.ENOENT or LibC.ENOTDIR or LibC.ELOOP)
        {
            // What has no parent here is not here.
        }
    }

    /// <summary>Renames a directory within the root and makes that durable.</summary>
    /// <param name="overEmpty">Whether an empty directory at <paramref name="to"/> may be replaced, which rename(2) does in one step, and with nothing else.</param>
    /// <returns>False when there is nothing at <paramref name="from"/>.</returns>
    /// <exception cref="LinuxException">EEXIST and its kin: something is at <paramref name="to"/>, and stays.</exception>
    internal bool TryRename(string from, string to, bool overEmpty = false)
    {
        CheckIsBelow(from);
        CheckIsBelow(to);
        SafeFileHandle oldParent;
        try
        {
            oldParent = Open(Parent(from), LibC.O_RDONLY);
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOENT)
        {
            return false;
        }

        using (oldParent)
        using (var newParent = Open(Parent(to), LibC.O_RDONLY))
        {
            if (!IsThere(oldParent, Name(from))) return false;
            var error = Rename(oldParent, Name(from), newParent, Name(to), overEmpty ? 0 : LibC.RENAME_NOREPLACE);
            // Not every file system knows the flag. Names of the trash hold an id, so nothing is replaced without it either.
            if (error == LibC.EINVAL && !overEmpty && !Exists(to)) error = Rename(oldParent, Name(from), newParent, Name(to), flags: 0);
            if (error == LibC.ENOENT) return false;
            if (error != 0) throw new LinuxException("rename", $"{Path}/{from} to {Path}/{to}", error);
            // It is done, whatever these say: a failure here must not be taken for "not moved".
            _ = LibC.Fsync(newParent);
            _ = LibC.Fsync(oldParent);
            return true;
        }
    }

    /// <remarks>Needed before a rename on NFS: what another host has moved since this one knew it elsewhere, the kernel finds by a lookup, but not within a rename (ESTALE).</remarks>
    static bool IsThere(SafeFileHandle parent, string name)
    {
        try
        {
            LibC.Open(parent, name, LibC.O_PATH | LibC.O_NOFOLLOW).Dispose();
            return true;
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOENT)
        {
            return false;
        }
    }

    static int Rename(SafeFileHandle oldParent, string from, SafeFileHandle newParent, string to, uint flags) =>
        LibC.RenameAt2(oldParent, from, newParent, to, flags) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>Makes what was made or removed directly in <paramref name="relative"/> survive power loss.</summary>
    internal void Sync(string relative)
    {
        using var directory = Open(relative, LibC.O_RDONLY);
        LibC.Check(LibC.Fsync(directory), "fsync", $"{Path}/{relative}");
    }

    internal bool Exists(string relative)
    {
        try
        {
            Open(relative).Dispose();
            return true;
        }
        catch (LinuxException e) when (e.Errno == LibC.ENOENT)
        {
            return false;
        }
    }

    /// <summary>The names on the way to a directory. They come from rows, options and listings of directories that others write, so none is trusted.</summary>
    string[] Components(string relative)
    {
        if (relative.Length == 0) return [];
        var components = relative.Split('/');
        return Array.TrueForAll(components, IsName) ? components : throw new LinuxException("open", $"{Path}/{relative}, which is no path below it", LibC.EXDEV);
    }

    /// <summary>The root itself is neither made nor renamed nor removed.</summary>
    void CheckIsBelow(string relative)
    {
        if (Components(relative).Length == 0) throw new LinuxException("open", $"{Path}, which is no path below itself", LibC.EXDEV);
    }

    static bool IsName(string component) => component is not ("" or "." or "..") && !component.Contains('\0', StringComparison.Ordinal);

    static string Parent(string relative) => relative.LastIndexOf('/') is > 0 and var slash ? relative[..slash] : "";

    static string Name(string relative) => relative[(relative.LastIndexOf('/') + 1)..];

    SafeFileHandle OpenRoot()
    {
        var root = LibC.Open(null, _given, LibC.O_RDONLY | LibC.O_DIRECTORY);
        if (!_isMountPoint || IsMountPoint(root)) return root;
        root.Dispose();
        throw new LinuxException("open", $"{Path}, where nothing is mounted now", LibC.ESTALE);
    }

    /// <summary>Asked of what was opened, for its path may be mounted on or unmounted at any time. Kernels before 5.8 cannot say.</summary>
    static bool IsMountPoint(SafeFileHandle directory) =>
        LibC.Check(LibC.Statx(directory, "", LibC.AT_EMPTY_PATH | LibC.AT_STATX_DONT_SYNC, mask: 0, out var found), "statx", "") == 0
        && ((found.AttributesMask & LibC.STATX_ATTR_MOUNT_ROOT) == 0 || (found.Attributes & LibC.STATX_ATTR_MOUNT_ROOT) != 0);
}
