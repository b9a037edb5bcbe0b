using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>Deletes a directory tree that containers filled: links are removed and not followed, and no depth is too deep.</summary>
internal static partial class TreeRemoval
{
    // Deeper directories are moved up to the top and removed from there, so that neither the stack nor the open files grow with what a container nested.
    const int MaxDepth = 32;

    /// <summary>Removes <paramref name="name"/> in <paramref name="parent"/>, with all that is in it. The caller has made sure that nothing is mounted below.</summary>
    /// <param name="step">Told before each entry: a removal that takes no step waits for the kernel. What it throws ends the removal.</param>
    /// <returns>How many entries were removed.</returns>
    /// <exception cref="LinuxException">As unlinkat(2). What was removed until then stays removed.</exception>
    internal static long Remove(SafeFileHandle parent, string name, Action step)
    {
        var path = Encoding.UTF8.GetBytes(name + '\0');
        using var top = OpenDirectory(parent, path);
        var removed = Empty(top, top, depth: 1, step);
        Check(UnlinkAt(parent, path, LibC.AT_REMOVEDIR), "rmdir", path);
        return removed + 1;
    }

    static long Empty(SafeFileHandle top, SafeFileHandle directory, int depth, Action step)
    {
        var removed = 0L;
        bool any;
        do
        {
            // Opened anew: a reader that has passed a place does not see what moved in there, or slid there while others went.
            using var reader = OpenDirectory(directory, ".\0"u8.ToArray());
            any = false;
            while (DirectoryEntries.ReadNext(reader) is { Count: > 0 } names)
            {
                any = true;
                foreach (var name in names)
                {
                    step();
                    removed += RemoveEntry(top, directory, name, depth, step);
                }
            }
        }
        while (any);
        return removed;
    }

    static long RemoveEntry(SafeFileHandle top, SafeFileHandle directory, byte[] name, int depth, Action step)
    {
        if (UnlinkAt(directory, name, 0) == 0) return 1;
        // EISDIR on Linux, EPERM in POSIX and on some file systems (unlink(2)).
        if (Marshal.GetLastPInvokeError() is not (LibC.EISDIR or LibC.EPERM) and var error) throw new LinuxException("unlink", Text(name), error);
        if (depth >= MaxDepth)
        {
            Check(RenameAt(directory, name, top, Encoding.ASCII.GetBytes($"{Guid.NewGuid():N}\0")), "rename", name);
            return 0;
        }

        long removed;
        using (var child = OpenDirectory(directory, name)) removed = Empty(top, child, depth + 1, step);
        Check(UnlinkAt(directory, name, LibC.AT_REMOVEDIR), "rmdir", name);
        return removed + 1;
    }

    static SafeFileHandle OpenDirectory(SafeFileHandle parent, byte[] name)
    {
        var descriptor = OpenAt(parent, name, LibC.O_RDONLY | LibC.O_DIRECTORY | LibC.O_NOFOLLOW | LibC.O_CLOEXEC);
        return new SafeFileHandle(Check(descriptor, "open", name), ownsHandle: true);
    }

    static int Check(int result, string operation, byte[] name) => LibC.Check(result, operation, Text(name));

    static string Text(byte[] name) => Encoding.UTF8.GetString(name.AsSpan(0, name.Length - 1));

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    private static partial int UnlinkAt(SafeFileHandle directory, byte[] path, int flags);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    private static partial int OpenAt(SafeFileHandle directory, byte[] path, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true)]
    private static partial int RenameAt(SafeFileHandle oldDirectory, byte[] oldPath, SafeFileHandle newDirectory, byte[] newPath);
}
