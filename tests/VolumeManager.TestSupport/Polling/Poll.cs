using System.Diagnostics;

namespace VolumeManager.TestSupport.Polling;

/// <summary>Waits for a condition, never without a deadline.</summary>
internal static class Poll
{
    /// <summary>Ends what would wait for ever, also on a busy machine. No test judges how long something takes.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);
    static readonly TimeSpan s_shortest = TimeSpan.FromMilliseconds(5);
    static readonly TimeSpan s_longest = TimeSpan.FromMilliseconds(50);

    public static Task UntilAsync(string what, Func<bool> holds, TimeSpan? deadline = null) =>
        UntilAsync(what, () => Task.FromResult(holds()), deadline);

    public static async Task UntilAsync(string what, Func<Task<bool>> holds, TimeSpan? deadline = null)
    {
        if (!await HoldsWithinAsync(deadline ?? Patience, holds))
            throw new NotInTimeException($"Waited {(deadline ?? Patience).TotalSeconds:0} s in vain: {what}.");
    }

    /// <summary>Returns the last value read, whether it is the expected one or the deadline came first.</summary>
    public static async Task<T> ForAsync<T>(T expected, Func<Task<T>> read, TimeSpan? deadline = null)
    {
        var seen = await read();
        await HoldsWithinAsync(deadline ?? Patience, async () => Equals(seen = await read(), expected));
        return seen;
    }

    /// <returns>False when the condition does not hold at the deadline.</returns>
    public static Task<bool> HoldsWithinAsync(TimeSpan deadline, Func<bool> holds) => HoldsWithinAsync(deadline, () => Task.FromResult(holds()));

    /// <returns>False when the condition does not hold at the deadline.</returns>
    public static async Task<bool> HoldsWithinAsync(TimeSpan deadline, Func<Task<bool>> holds)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var asked = clock.Elapsed;
            if (await holds())
                return true;
            var answered = clock.Elapsed;
            if (answered > deadline)
                return false;
            // A tenth of the time waited so far: a condition that holds soon is seen soon, and a long wait costs little.
            var pause = TimeSpan.FromTicks(Math.Clamp(answered.Ticks / 10, s_shortest.Ticks, s_longest.Ticks));
            // What is expensive to ask must not slow down what is waited for.
            var cost = answered - asked;
            await Task.Delay(cost > pause ? cost : pause);
        }
    }
}
