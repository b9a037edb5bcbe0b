using System.Collections.Concurrent;
using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

[Trait("Catalog", "none")]
public class SyscallLaneTests
{
    [Fact]
    public async Task Results_and_exceptions_reach_the_caller()
    {
        var lane = new SyscallLane("test", maxThreads: 2);
        Assert.Equal(42, await lane.RunAsync(() => 42, CancellationToken.None));
        var error = await Assert.ThrowsAsync<LinuxException>(() => lane.RunAsync<int>(() => throw new LinuxException("mount", "/x", LibC.EBUSY), CancellationToken.None));
        Assert.Equal(LibC.EBUSY, error.Errno);
        Assert.Equal(43, await lane.RunAsync(() => 43, CancellationToken.None));
    }

    [Fact]
    public async Task Calls_run_on_threads_of_the_lane_and_not_of_the_pool()
    {
        var lane = new SyscallLane("test-lane", maxThreads: 2);
        var (name, pooled) = await lane.RunAsync(() => (Thread.CurrentThread.Name, Thread.CurrentThread.IsThreadPoolThread), CancellationToken.None);
        Assert.Equal("test-lane", name);
        Assert.False(pooled);
    }

    [Fact]
    public async Task Calls_that_hang_hold_no_more_threads_than_allowed_and_the_others_wait_in_line()
    {
        var lane = new SyscallLane("test", maxThreads: 3);
        using var hang = new ManualResetEventSlim();
        using var begun = new SemaphoreSlim(0);
        var threads = new ConcurrentDictionary<int, bool>();
        var calls = Enumerable.Range(0, 20).Select(_ => lane.RunAsync(
            () =>
            {
                threads[Environment.CurrentManagedThreadId] = true;
                begun.Release();
                hang.Wait();
                return true;
            },
            CancellationToken.None)).ToList();
        for (var i = 0; i < 3; i++) Assert.True(await begun.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.False(await begun.WaitAsync(TimeSpan.FromMilliseconds(200)));
        Assert.DoesNotContain(calls, c => c.IsCompleted);

        // Another lane goes on.
        Assert.True(await new SyscallLane("other", 1).RunAsync(() => true, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10)));
        hang.Set();
        await Task.WhenAll(calls).WaitAsync(TimeSpan.FromSeconds(10));
        Assert.InRange(threads.Count, 1, 3);
    }

    [Fact]
    public async Task A_call_that_is_cancelled_while_it_waits_is_not_made()
    {
        var lane = new SyscallLane("test", maxThreads: 1);
        using var hang = new ManualResetEventSlim();
        using var cancellation = new CancellationTokenSource();
        var first = lane.RunAsync(() => { hang.Wait(); return true; }, CancellationToken.None);
        var made = false;
        var second = lane.RunAsync(() => made = true, cancellation.Token);
        var third = lane.RunAsync(() => 3, CancellationToken.None);
        await cancellation.CancelAsync();
        hang.Set();
        Assert.True(await first);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.Equal(3, await third);
        Assert.False(made);
    }

    [Fact]
    public async Task A_call_that_has_begun_is_not_cancelled()
    {
        var lane = new SyscallLane("test", maxThreads: 1);
        using var hang = new ManualResetEventSlim();
        using var begun = new SemaphoreSlim(0);
        using var cancellation = new CancellationTokenSource();
        var call = lane.RunAsync(() => { begun.Release(); hang.Wait(); return true; }, cancellation.Token);
        await begun.WaitAsync();
        await cancellation.CancelAsync();
        hang.Set();
        Assert.True(await call);
    }

    [Fact]
    public async Task Thousands_of_calls_from_many_callers_are_all_made_once()
    {
        var lane = new SyscallLane("test", maxThreads: 4);
        var made = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            for (var i = 0; i < 1000; i++) await lane.RunAsync(() => Interlocked.Increment(ref made), CancellationToken.None);
        }))).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(8000, made);
    }
}
