namespace VolumeManager.Linux;

/// <summary>
/// A bounded number of threads of their own for system calls that may block for ever on one disk or server.
/// The thread pool, other lanes and other exports go on whatever happens here; calls past the bound wait in line.
/// </summary>
/// <remarks>
/// A call that has begun cannot be taken back: mount(2) on a dead disk sleeps uninterruptibly. So a caller bounds its own wait, and when its call
/// comes back after all, looks at its cancellation and undoes what it did.
/// </remarks>
#pragma warning disable CA1001 // A lane lives as long as its process: a thread that hangs in the kernel cannot be waited for.
internal sealed class SyscallLane(string name, int maxThreads)
#pragma warning restore CA1001
{
    static readonly TimeSpan IdleLife = TimeSpan.FromSeconds(20);

    readonly Lock _gate = new();
    readonly Queue<Action> _waiting = new();
    readonly SemaphoreSlim _work = new(0);
    int _threads;
    int _idle;

    /// <summary>Runs <paramref name="call"/> on a thread of the lane.</summary>
    /// <exception cref="OperationCanceledException">Cancelled while it still waited in line: the call was not made.</exception>
    internal Task<T> RunAsync<T>(Func<T> call, CancellationToken cancellation)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Enqueue(() =>
        {
            if (cancellation.IsCancellationRequested)
            {
                completion.SetCanceled(cancellation);
                return;
            }

            try
            {
                completion.SetResult(call());
            }
#pragma warning disable CA1031 // Whatever the call threw belongs to its caller, not to this thread.
            catch (Exception e)
#pragma warning restore CA1031
            {
                completion.SetException(e);
            }
        });
        return completion.Task;
    }

    /// <summary>The same for a call without a result.</summary>
    internal Task RunAsync(Action call, CancellationToken cancellation) => RunAsync(
        () =>
        {
            call();
            return true;
        }, cancellation);

    void Enqueue(Action job)
    {
        bool start;
        lock (_gate)
        {
            _waiting.Enqueue(job);
            start = _idle < _waiting.Count && _threads < maxThreads;
            if (start) _threads++;
        }

        if (start) new Thread(Work) { IsBackground = true, Name = name }.Start();
        _work.Release();
    }

    void Work()
    {
        while (true)
        {
            lock (_gate) _idle++;
            var signalled = _work.Wait(IdleLife);
            Action? job;
            lock (_gate)
            {
                _idle--;
                if (!_waiting.TryDequeue(out job) && !signalled)
                {
                    _threads--;
                    return;
                }
            }

            job?.Invoke();
        }
    }
}
