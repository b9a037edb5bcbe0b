namespace VolumeManager.Hosts;

/// <summary>
/// Counts the engine's starts. An engine sends <c>Plugin.Activate</c> once in its life, so mounts that were claimed under a lower number belong to an engine that
/// has ended. Raised in memory, for Activate is answered before the catalog is open; written down with the next change.
/// </summary>
internal sealed class EngineGeneration
{
    long _earlier;
    long _activations;

    internal long Current => Interlocked.Read(ref _earlier) + Interlocked.Read(ref _activations);

    /// <summary>When the latest engine was first heard of, on this process's monotonic clock in milliseconds; before the first Activate, when this process began to count.</summary>
    internal long ActivatedAt { get; private set; } = Environment.TickCount64;

    /// <summary>Told after each raise, on the thread of the request: must not block.</summary>
    internal Action? Raised { get; set; }

    internal void Raise()
    {
        ActivatedAt = Environment.TickCount64;
        Interlocked.Increment(ref _activations);
        Raised?.Invoke();
    }

    /// <summary>Counts on from what the catalog remembers.</summary>
    internal void ContinueFrom(long earlier) => Interlocked.Exchange(ref _earlier, earlier);
}
