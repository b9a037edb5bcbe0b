using System.Diagnostics;

namespace VolumeManager.Benchmarks.Engine;

/// <summary>Every latency of a load, sorted; percentiles by nearest rank.</summary>
internal sealed class Latencies
{
    readonly long[] _sorted;

    Latencies(long[] sorted) => _sorted = sorted;

    internal int Count => _sorted.Length;

    internal TimeSpan Median => At(0.50);

    internal TimeSpan Max => At(1);

    internal static Latencies Of(IEnumerable<ReadOnlyMemory<long>> ticks)
    {
        var sorted = ticks.SelectMany(each => each.ToArray()).ToArray();
        Array.Sort(sorted);
        return new Latencies(sorted);
    }

    internal TimeSpan At(double share) =>
        _sorted.Length == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(0, _sorted[Math.Clamp((int)Math.Ceiling(share * _sorted.Length) - 1, 0, _sorted.Length - 1)]);
}

/// <summary>What a load measured, and what went wrong in it.</summary>
internal sealed record LoadResult(Latencies Latencies, TimeSpan Elapsed, int[] CountPerWorker, int Faults, string? FirstFault)
{
    internal double PerSecond => Latencies.Count / Elapsed.TotalSeconds;
}
