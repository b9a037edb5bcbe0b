using System.Diagnostics;

namespace VolumeManager.EndToEnd.Machines;

/// <summary>Waits for what must become true, never without a deadline.</summary>
internal static class Poll
{
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    public static Task UntilAsync(string what, Func<bool> holds, TimeSpan? deadline = null) =>
        UntilAsync(what, () => Task.FromResult(holds()), deadline);

    public static async Task UntilAsync(string what, Func<Task<bool>> holds, TimeSpan? deadline = null)
    {
        if (!await HoldsWithinAsync(holds, deadline ?? Patience))
            throw new TimeoutException($"Waited {(deadline ?? Patience).TotalSeconds:0} s in vain: {what}.");
    }

    /// <summary>The last value seen, whether it is the expected one or the deadline came first.</summary>
    public static async Task<T> ForAsync<T>(T expected, Func<Task<T>> read, TimeSpan? deadline = null)
    {
        var seen = await read();
        await HoldsWithinAsync(async () => Equals(seen = await read(), expected), deadline ?? Patience);
        return seen;
    }

    static async Task<bool> HoldsWithinAsync(Func<Task<bool>> holds, TimeSpan deadline)
    {
        var clock = Stopwatch.StartNew();
        while (!await holds())
        {
            if (clock.Elapsed > deadline)
                return false;
            await Task.Delay(Interval);
        }
        return true;
    }
}
