using System.Diagnostics;
using System.Runtime.InteropServices;

namespace VolumeManager.Postgres;

/// <summary>Signals to a postmaster and all that it forked: every backend and worker is its child, each in a session of its own, so no process group holds them.</summary>
internal static class ServerProcesses
{
    public const int SIGINT = 2;
    public const int SIGQUIT = 3;
    public const int SIGKILL = 9;
    public const int SIGCONT = 18;
    public const int SIGSTOP = 19;

    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    public static void Signal(int pid, int signal)
    {
        // kill(2) takes 0 for our own process group, and -1 for everybody.
        ArgumentOutOfRangeException.ThrowIfLessThan(pid, 2);
        _ = Kill(pid, signal);
    }

    /// <summary>Stops the postmaster first, so that it forks no more, then its children.</summary>
    /// <returns>All of them, the postmaster first.</returns>
    public static IReadOnlyList<int> Freeze(int postmaster)
    {
        Signal(postmaster, SIGSTOP);
        AwaitStop(postmaster);
        var children = ChildrenOf(postmaster);
        foreach (var child in children) Signal(child, SIGSTOP);
        foreach (var child in children) AwaitStop(child);
        return [postmaster, .. children];
    }

    public static void Thaw(int postmaster)
    {
        foreach (var child in ChildrenOf(postmaster)) Signal(child, SIGCONT);
        Signal(postmaster, SIGCONT);
    }

    /// <summary>Ends all of them at once, as a crash does, and waits until none is left: a new server would not start beside the old one's backends.</summary>
    public static async Task KillAsync(int postmaster)
    {
        var all = Freeze(postmaster);
        foreach (var pid in all) Signal(pid, SIGKILL);
        for (var clock = Stopwatch.StartNew(); all.Any(IsAlive); await Task.Delay(5))
        {
            if (clock.Elapsed > s_patience) throw new TimeoutException($"Killed, and still there after {s_patience.TotalSeconds} s: {string.Join(' ', all.Where(IsAlive))}");
        }
    }

    public static IReadOnlyList<int> ChildrenOf(int parent) =>
        [.. Directory.EnumerateDirectories("/proc")
            .Select(folder => int.TryParse(Path.GetFileName(folder), out var pid) ? pid : 0)
            .Where(pid => pid != 0 && Read(pid).Parent == parent)];

    /// <summary>A zombie is not alive: it waits for its parent only, which may be a container's lazy first process.</summary>
    public static bool IsAlive(int pid) => Read(pid).State is not ('\0' or 'Z' or 'X');

    static void AwaitStop(int pid)
    {
        if (!SpinWait.SpinUntil(() => Read(pid).State is 'T' or 't' or '\0' or 'Z' or 'X', s_patience))
            throw new TimeoutException($"Process {pid} does not stop: the kernel does not let it go within {s_patience.TotalSeconds} s.");
    }

    static (char State, int Parent) Read(int pid)
    {
        try
        {
            // proc(5): pid (comm) state ppid …; comm may hold spaces and brackets, so count from the last one.
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ', 3);
            return (fields[0][0], int.Parse(fields[1]));
        }
        catch (IOException)
        {
            return default; // It ended while we looked.
        }
    }

    // Not LibraryImport: it needs unsafe blocks, which not every project that links this file allows.
    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Kill(int pid, int signal);
}
