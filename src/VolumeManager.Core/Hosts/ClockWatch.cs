namespace VolumeManager.Hosts;

/// <summary>
/// Whether the time of day can be believed: it agrees with the monotonic clock, which nobody sets. A host without a battery-backed clock wakes up in the past and jumps years ahead when
/// the network tells it the time; and a clock that is wrong for some seconds must not delete what is to be kept for months.
/// </summary>
/// <param name="monotonic">Whose timestamps are compared with.</param>
/// <param name="now">The time of day: of this host, or of a cluster's database.</param>
internal sealed class ClockWatch(TimeProvider monotonic, Func<DateTime> now)
{
    // What time servers correct from day to day is less; and what a minute deletes too early nobody misses.
    static readonly TimeSpan s_tolerance = TimeSpan.FromMinutes(1);

    readonly Lock _gate = new();
    long _since = monotonic.GetTimestamp();
    long _lookedAt = monotonic.GetTimestamp();
    DateTime _then = now();

    /// <summary>Told by how much the time of day has jumped, when it did.</summary>
    internal Action<TimeSpan>? Jumped { get; set; }

    /// <summary>For how long both clocks have agreed. Each question compares them.</summary>
    internal TimeSpan AgreedFor
    {
        get
        {
            lock (_gate)
            {
                var (at, time) = (monotonic.GetTimestamp(), now());
                var jump = time - _then - monotonic.GetElapsedTime(_lookedAt, at);
                (_lookedAt, _then) = (at, time);
                if (jump.Duration() > s_tolerance)
                {
                    _since = at;
                    Jumped?.Invoke(jump);
                }

                return monotonic.GetElapsedTime(_since, at);
            }
        }
    }
}
