using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VolumeManager.Linux;

/// <summary>Whether what this process mounts is seen outside its mount namespace.</summary>
internal static partial class MountPropagation
{
    const short Priority = 2; // POLLPRI

    /// <summary>Calls <paramref name="changed"/> whenever something was mounted or unmounted where process 1 is (proc_pid_mountinfo(5)), and every <paramref name="interval"/>; of several changes within a fifth of a second once. Blocks until cancelled, or returns
    /// at once where process 1 cannot be seen.</summary>
    internal static void Watch(Action changed, TimeSpan interval, CancellationToken cancellation)
    {
        using var table = TryOpen();
        if (table is null) return;
        PollEntry[] entries = [new() { File = (int)table.DangerousGetHandle(), Events = Priority }];
        for (var last = Environment.TickCount64; !cancellation.IsCancellationRequested;)
        {
            // Interrupted, it returns early, and does no harm.
            if (Poll(entries, (nuint)entries.Length, milliseconds: 500) <= 0 && Environment.TickCount64 - last < interval.TotalMilliseconds) continue;
            last = Environment.TickCount64;
            changed();
            cancellation.WaitHandle.WaitOne(200);
        }
    }

    static SafeFileHandle? TryOpen()
    {
        try
        {
            return File.OpenHandle("/proc/1/mountinfo");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>True when process 1 shares our namespace, or a peer group at <paramref name="directory"/> brings our mounts there (mount_namespaces(7)).</summary>
    internal static bool ReachesInit(string directory)
    {
        try
        {
            if (new FileInfo("/proc/self/ns/mnt").LinkTarget == new FileInfo("/proc/1/ns/mnt").LinkTarget) return true;
            var ours = MountInfo.Covering(directory, MountInfo.Read());
            return ours.PeerGroup is { } group && MountInfo.Read("1").Exists(m => m.PeerGroup == group);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without sight of process 1 (a container of its own) nothing can be said.
            return true;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    struct PollEntry
    {
        internal int File;
        internal short Events;
        internal short Found;
    }

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll([In, Out] PollEntry[] entries, nuint count, int milliseconds);
}
