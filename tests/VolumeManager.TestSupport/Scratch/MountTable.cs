using System.Runtime.InteropServices;

namespace VolumeManager.TestSupport.Scratch;

/// <summary>The kernel's list of mounts, of this process or of another one.</summary>
internal static partial class MountTable
{
    const int MNT_DETACH = 2;

    /// <summary>The mount points below a folder in the order of their mounts; a place with two mounts is there twice.</summary>
    public static IEnumerable<string> PointsBelow(string folder, string process = "self") =>
        // proc(5): id parent major:minor root mount-point …; blanks in a path are written in octal.
        File.ReadLines($"/proc/{process}/mountinfo")
            .Select(line => line.Split(' ')[4].Replace("\\040", " ", StringComparison.Ordinal))
            .Where(point => point.StartsWith(folder + "/", StringComparison.Ordinal));

    public static void UnmountBelow(string folder)
    {
        foreach (var point in PointsBelow(folder).Reverse())
        {
            if (Unmount(point, MNT_DETACH) != 0)
                throw new IOException($"{point} cannot be unmounted: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Unmount(string target, int flags);
}
