namespace VolumeManager.Hosts;

/// <summary>
/// Counts the engine's starts. An engine sends <c>Plugin.Activate</c> once in its life, so mounts that were claimed under a lower number belong to an engine that
/// has ended. To a managed plugin it never sends that: there the process that calls tells (<see cref="Meet"/>).
/// Raised in memory, for Activate is answered before the catalog is open; written down with the next change.
/// </summary>
internal sealed class EngineGeneration
{
    readonly Lock _gate = new();
    long _earlier;
    long _activations;
    EngineProcess? _process;

    internal long Current => Interlocked.Read(ref _earlier) + Interlocked.Read(ref _activations);

    /// <summary>When the latest engine was first heard of, on this process's monotonic clock in milliseconds; before the first Activate, when this process began to count.</summary>
    internal long ActivatedAt { get; private set; } = Environment.TickCount64;

    /// <summary>The latest engine; null when it could not be seen, or has not called yet.</summary>
    internal EngineProcess? Process
    {
        get
        {
            lock (_gate) return _process;
        }
    }

    /// <summary>Told after each raise, on the thread of the request: must not block.</summary>
    internal Action? Raised { get; set; }

    /// <summary>Told when an engine was met of which nothing was known: must not block.</summary>
    internal Action? Found { get; set; }

    /// <summary>A new engine has said so itself.</summary>
    /// <param name="caller">The process that said it, if it can be seen.</param>
    internal void Raise(EngineProcess? caller = null)
    {
        lock (_gate)
        {
            if (caller is not null) _process = caller;
        }

        ActivatedAt = Environment.TickCount64;
        Interlocked.Increment(ref _activations);
        Raised?.Invoke();
    }

    /// <summary>A process asks what only an engine asks. When the engine that was known until now has ended, it is the next one. While that lives it is somebody who looks.</summary>
    internal void Meet(EngineProcess caller)
    {
        lock (_gate)
        {
            if (caller == _process || _process?.IsAlive == true) return;
            var isFirst = _process is null;
            _process = caller;
            if (isFirst)
            {
                Found?.Invoke();
                return;
            }
        }

        Raise();
    }

    /// <summary>Counts on from what the catalog remembers, unless a later one is known already.</summary>
    internal void ContinueFrom(long earlier)
    {
        for (var known = Interlocked.Read(ref _earlier); known < earlier;)
        {
            var found = Interlocked.CompareExchange(ref _earlier, earlier, known);
            if (found == known) return;
            known = found;
        }
    }

    /// <summary>Takes note of the engine that an earlier daemon of this boot served. One that has called us before this was known is another one, unless that one lives.</summary>
    internal void Recall(EngineProcess? earlier)
    {
        lock (_gate)
        {
            _process ??= earlier;
            // Who sent Activate is counted.
            if (earlier is null || _process == earlier || Interlocked.Read(ref _activations) > 0 || earlier.IsAlive) return;
        }

        Raise();
    }
}
