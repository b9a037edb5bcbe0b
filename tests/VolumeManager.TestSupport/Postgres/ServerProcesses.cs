using VolumeManager.TestSupport.Polling;
using VolumeManager.TestSupport.Processes;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>Signals to a postmaster and all that it forked: every backend and worker is its child, each in a session of its own, so no process group holds them.</summary>
internal static class ServerProcesses
{
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(1);

    /// <summary>Stops the postmaster first, so that it forks no more, then its children.</summary>
    /// <returns>All of them, the postmaster first.</returns>
    public static IReadOnlyList<int> Freeze(int postmaster)
    {
        ProcessTable.Signal(postmaster, ProcessTable.SIGSTOP);
        AwaitStop(postmaster);
        var children = ProcessTable.ChildrenOf(postmaster);
        foreach (var child in children) ProcessTable.Signal(child, ProcessTable.SIGSTOP);
        foreach (var child in children) AwaitStop(child);
        return [postmaster, .. children];
    }

    public static void Thaw(int postmaster)
    {
        foreach (var child in ProcessTable.ChildrenOf(postmaster)) ProcessTable.Signal(child, ProcessTable.SIGCONT);
        ProcessTable.Signal(postmaster, ProcessTable.SIGCONT);
    }

    /// <summary>Ends all of them at once, as a crash does, and waits until none is left: a new server would not start beside the old one's backends.</summary>
    public static async Task KillAsync(int postmaster)
    {
        var all = Freeze(postmaster);
        foreach (var pid in all) ProcessTable.Signal(pid, ProcessTable.SIGKILL);
        await Poll.UntilAsync($"the killed processes {string.Join(' ', all)} are gone", () => !all.Any(ProcessTable.IsAlive), s_patience);
    }

    static void AwaitStop(int pid)
    {
        if (!SpinWait.SpinUntil(() => ProcessTable.IsStopped(pid), s_patience))
            throw new TimeoutException($"Process {pid} does not stop: the kernel does not let it go within {s_patience.TotalSeconds} s.");
    }
}
