namespace VolumeManager.Volumes;

/// <summary>One lock a volume name: what one volume waits for is no other volume's business.</summary>
internal sealed class VolumeLocks
{
    readonly Lock _gate = new();
    readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    TaskCompletionSource? _drained;

    /// <summary>Waits for the name's turn. Dispose what comes back to let the next one in.</summary>
    /// <exception cref="OperationCanceledException">Cancelled while it waited.</exception>
    internal async Task<Held> AcquireAsync(string name, CancellationToken cancellation)
    {
        Entry? entry;
        lock (_gate)
        {
            if (!_entries.TryGetValue(name, out entry)) _entries.Add(name, entry = new Entry());
            entry.Users++;
        }

        try
        {
            await entry.Turn.WaitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            Leave(name, entry);
            throw;
        }

        return new Held(this, name, entry);
    }

    /// <summary>Completes when nobody holds or awaits a lock.</summary>
    internal Task DrainAsync()
    {
        lock (_gate)
        {
            if (_entries.Count == 0) return Task.CompletedTask;
            _drained ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _drained.Task;
        }
    }

    void Leave(string name, Entry entry)
    {
        lock (_gate)
        {
            if (--entry.Users > 0) return;
            _entries.Remove(name);
            if (_entries.Count == 0) _drained?.TrySetResult();
        }
    }

    internal sealed class Entry
    {
        internal SemaphoreSlim Turn { get; } = new(1);
        internal int Users { get; set; }
    }

    internal readonly struct Held(VolumeLocks locks, string name, Entry entry) : IDisposable
    {
        public void Dispose()
        {
            entry.Turn.Release();
            locks.Leave(name, entry);
        }
    }
}
