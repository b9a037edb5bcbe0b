using System.Runtime.InteropServices;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks;

/// <summary>Everything a run leaves on the machine while it runs: processes, mounts, directories. Disposing it takes all of it away, in that order.</summary>
internal sealed class Workspace : IDisposable
{
    readonly Lock _lock = new();
    readonly HashSet<ServerProcess> _processes = [];
    readonly PosixSignalRegistration[] _signals;
    readonly CancellationTokenSource _cancel = new();

    // A unix socket's path has at most 107 bytes, which a folder deep in somebody's home may exceed.
    readonly ScratchFolder _sockets = new("volman-bench-");

    internal Workspace(string parent)
    {
        Root = Path.Combine(parent, $"run-{Environment.ProcessId}");
        Directory.CreateDirectory(Root);
        _signals = [PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt)];
    }

    internal string Root { get; }

    internal string Sockets => _sockets.FullPath;

    internal CancellationToken Cancelled => _cancel.Token;

    internal void Add(ServerProcess process)
    {
        lock (_lock)
        {
            if (Cancelled.IsCancellationRequested)
                process.Kill();
            _processes.Add(process);
        }
    }

    internal void Forget(ServerProcess process)
    {
        lock (_lock)
            _processes.Remove(process);
    }

    public void Dispose()
    {
        KillAll();
        Progress.Say($"cleaning up {Root}");
        _sockets.Dispose();
        ScratchFolder.Delete(Root);
        var parent = Path.GetDirectoryName(Root)!;
        if (!Directory.EnumerateFileSystemEntries(parent).Any())
            Directory.Delete(parent);
        foreach (var signal in _signals)
            signal.Dispose();
        _cancel.Dispose();
    }

    // Only wakes whoever waits: with its server gone no worker blocks, and the run's own end cleans up.
    void Interrupt(PosixSignalContext context)
    {
        context.Cancel = true;
        Progress.Say("interrupted");
        _cancel.Cancel();
        KillAll();
    }

    void KillAll()
    {
        lock (_lock)
        {
            foreach (var process in _processes)
                process.Kill();
        }
    }
}
