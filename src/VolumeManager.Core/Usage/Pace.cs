using System.Diagnostics;

namespace VolumeManager.Usage;

/// <summary>Keeps a walk from taking a disk or server to itself: no more than so many steps a second, and none saved up for later.</summary>
internal sealed class Pace(int perSecond)
{
    // Some fifty breaks a second: a wait for each step would be more work than the step.
    readonly int _slice = Math.Max(1, perSecond / 50);
    readonly long _sliceTime = Stopwatch.Frequency * Math.Max(1, perSecond / 50) / perSecond;
    long _next = Stopwatch.GetTimestamp();
    int _taken;

    /// <summary>Takes a step, once its time has come.</summary>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    internal void Step(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (++_taken < _slice) return;
        _taken = 0;
        var now = Stopwatch.GetTimestamp();
        _next = Math.Max(_next + _sliceTime, now);
        if (_next > now && cancellation.WaitHandle.WaitOne(Stopwatch.GetElapsedTime(now, _next))) cancellation.ThrowIfCancellationRequested();
    }
}
