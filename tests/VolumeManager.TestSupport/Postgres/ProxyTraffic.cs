namespace VolumeManager.TestSupport.Postgres;

/// <summary>What all connections of a <see cref="PostgresProxy"/> share: whether bytes flow, how slowly, and how often the direction changed.</summary>
internal sealed class ProxyTraffic
{
    // Done while bytes flow, open while there is silence.
    volatile TaskCompletionSource _flow = Opened();
    long _delay;
    int _roundTrips;

    public int RoundTrips => Volatile.Read(ref _roundTrips);

    public TimeSpan Delay
    {
        get => TimeSpan.FromTicks(Volatile.Read(ref _delay));
        set => Volatile.Write(ref _delay, value.Ticks);
    }

    public void CountRoundTrip() => Interlocked.Increment(ref _roundTrips);

    public void ResetCounters() => Volatile.Write(ref _roundTrips, 0);

    public void Silence()
    {
        if (_flow.Task.IsCompleted) _flow = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public void Flow() => _flow.TrySetResult();

    /// <summary>Holds a chunk back for as long as it takes.</summary>
    public async Task PassAsync(CancellationToken closing)
    {
        if (Delay > TimeSpan.Zero) await Task.Delay(Delay, closing);
        // Asked after the delay, so that nothing slips out of a silence that began meanwhile; and again, for the next silence.
        while (_flow.Task is { IsCompleted: false } silence) await silence.WaitAsync(closing);
    }

    static TaskCompletionSource Opened()
    {
        var flow = new TaskCompletionSource();
        flow.SetResult();
        return flow;
    }
}
