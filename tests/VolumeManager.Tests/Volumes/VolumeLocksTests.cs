using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

[Trait("Catalog", "none")]
public class VolumeLocksTests
{
    readonly VolumeLocks _locks = new();

    [Fact]
    public async Task One_at_a_time_has_a_name_and_the_next_follows()
    {
        var first = await _locks.AcquireAsync("v", CancellationToken.None);
        var second = _locks.AcquireAsync("v", CancellationToken.None);
        await Task.Delay(50);
        Assert.False(second.IsCompleted);
        first.Dispose();
        (await second.WaitAsync(TimeSpan.FromSeconds(5))).Dispose();
    }

    [Fact]
    public async Task Other_names_do_not_wait()
    {
        using var held = await _locks.AcquireAsync("v", CancellationToken.None);
        foreach (var name in new[] { "V", "w", "" }) (await _locks.AcquireAsync(name, CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(5))).Dispose();
    }

    [Fact]
    public async Task Who_gives_up_does_not_keep_the_others_waiting()
    {
        var held = await _locks.AcquireAsync("v", CancellationToken.None);
        using var cancellation = new CancellationTokenSource();
        var impatient = _locks.AcquireAsync("v", cancellation.Token);
        var patient = _locks.AcquireAsync("v", CancellationToken.None);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        Assert.False(patient.IsCompleted);
        held.Dispose();
        (await patient.WaitAsync(TimeSpan.FromSeconds(5))).Dispose();
    }

    [Fact]
    public async Task Who_comes_cancelled_gets_nothing()
    {
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _locks.AcquireAsync("v", new CancellationToken(canceled: true)));
        await _locks.DrainAsync().WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Draining_waits_for_holders_and_for_those_in_line()
    {
        var held = await _locks.AcquireAsync("v", CancellationToken.None);
        var next = _locks.AcquireAsync("v", CancellationToken.None);
        var drained = _locks.DrainAsync();
        held.Dispose();
        var second = await next;
        Assert.False(drained.IsCompleted);
        second.Dispose();
        await drained.WaitAsync(TimeSpan.FromSeconds(5));
        await _locks.DrainAsync().WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Many_callers_of_few_names_never_meet_and_all_come_through()
    {
        var inside = new int[3];
        await Task.WhenAll(Enumerable.Range(0, 30).Select(i => Task.Run(async () =>
        {
            for (var turn = 0; turn < 200; turn++)
            {
                using var cancellation = new CancellationTokenSource();
                if (turn % 7 == i % 7) await cancellation.CancelAsync();
                try
                {
                    using var held = await _locks.AcquireAsync($"v{i % 3}", cancellation.Token);
                    Assert.Equal(1, Interlocked.Increment(ref inside[i % 3]));
                    await Task.Yield();
                    Interlocked.Decrement(ref inside[i % 3]);
                }
                catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
                {
                    // As asked.
                }
            }
        }))).WaitAsync(TimeSpan.FromMinutes(2));
        await _locks.DrainAsync().WaitAsync(TimeSpan.FromSeconds(5));
    }
}
