using System.Diagnostics;

namespace VolumeManager.Benchmarks.Engine;

/// <summary>One measured step of a worker: one request, or a few that belong together.</summary>
internal delegate void Operation(EngineConnection connection, int iteration);

/// <summary>When a worker stops: at the first of the two.</summary>
internal sealed record LoadLimit(TimeSpan Time, int PerWorker)
{
    internal static LoadLimit For(TimeSpan time) => new(time, int.MaxValue);

    internal static LoadLimit Of(int perWorker) => new(TimeSpan.FromHours(1), perWorker);
}

/// <summary>Workers that ask one server as fast as it answers, each on a thread and a connection of its own.</summary>
internal static class Load
{
    /// <param name="script">Makes each worker's operation; called on the worker's number before the clock starts.</param>
    /// <param name="counts">Iterations of each worker, where a phase undoes what another one did; else null.</param>
    internal static LoadResult Run(string socketPath, int workers, LoadLimit limit, Func<int, Operation> script, bool keep = false, int[]? counts = null,
        CancellationToken cancel = default)
    {
        using var start = new Barrier(workers + 1);
        var all = new Worker[workers];
        var threads = new Thread[workers];
        for (var i = 0; i < workers; i++)
        {
            var worker = all[i] = new Worker(socketPath, keep, limit with { PerWorker = counts?[i] ?? limit.PerWorker }, script(i), cancel);
            threads[i] = new Thread(() => worker.Run(start), 256 * 1024) { IsBackground = true };
            threads[i].Start();
        }
        start.SignalAndWait(CancellationToken.None);
        var began = Stopwatch.GetTimestamp();
        foreach (var thread in threads)
            thread.Join();
        var elapsed = Stopwatch.GetElapsedTime(began);
        cancel.ThrowIfCancellationRequested();
        return new LoadResult(Latencies.Of(all.Select(worker => worker.Ticks)), elapsed, [.. all.Select(worker => worker.Ticks.Length)],
            all.Sum(worker => worker.Faults), all.Select(worker => worker.FirstFault).FirstOrDefault(fault => fault is not null));
    }

    /// <summary>One operation, once, on the calling thread.</summary>
    internal static LoadResult Once(string socketPath, Operation operation) => Run(socketPath, 1, LoadLimit.Of(1), _ => operation);

    sealed class Worker(string socketPath, bool keep, LoadLimit limit, Operation operation, CancellationToken cancel)
    {
        long[] _ticks = new long[16 * 1024];
        int _count;

        internal ReadOnlyMemory<long> Ticks => _ticks.AsMemory(0, _count);

        internal int Faults { get; private set; }

        internal string? FirstFault { get; private set; }

        internal void Run(Barrier start)
        {
            using var connection = new EngineConnection(socketPath, keep);
            start.SignalAndWait(CancellationToken.None);
            var end = Stopwatch.GetTimestamp() + (long)(limit.Time.TotalSeconds * Stopwatch.Frequency);
            try
            {
                for (var now = Stopwatch.GetTimestamp(); _count < limit.PerWorker && now < end && !cancel.IsCancellationRequested; now = Stopwatch.GetTimestamp())
                {
                    operation(connection, _count);
                    Record(Stopwatch.GetTimestamp() - now);
                    if (connection.TakeFault() is { } fault)
                        Note(fault);
                }
            }
            catch (IOException broken)
            {
                // A server that breaks a connection has crashed or hangs: this worker has nothing more to measure.
                Note(broken.Message);
            }
        }

        void Record(long ticks)
        {
            if (_count == _ticks.Length)
                Array.Resize(ref _ticks, _ticks.Length * 2);
            _ticks[_count++] = ticks;
        }

        void Note(string fault)
        {
            Faults++;
            FirstFault ??= fault;
        }
    }
}
