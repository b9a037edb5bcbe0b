using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;
using VolumeManager.EndToEnd.Clusters;

namespace VolumeManager.EndToEnd.Simulation;

/// <summary>
/// Random schedules of calls, crashes, power cuts, cut links and expired leases against 3 to 5 hosts: each a real `volman serve` in a machine of its own, all over one
/// PostgreSQL and one data directory. After every step: no acknowledged volume or mount is lost, no exclusive volume has two live holders, nothing in use is removed;
/// after all is healed and unmounted there is no mount row, no kernel mount and no ledger entry left.
/// </summary>
/// <remarks>
/// VOLMAN_TEST_SEQUENCES is the number of schedules (eng/test.sh --schedules N sets it). A failure prints `size of S and seed of (A,B)`: VOLMAN_TEST_SEED=A,B,S makes that
/// schedule the first one. What is done at the same time may come out in another order then; the story of the failure tells how it was.
/// A catalog of SQLite has one host: MountModelTests tries sequences with it.
/// </remarks>
public sealed class ClusterSimulation(ITestOutputHelper output)
{
    const int Lanes = 2;

    static int Schedules => int.TryParse(Environment.GetEnvironmentVariable("VOLMAN_TEST_SEQUENCES"), out var count) ? count : 60;

    static ulong[] Seed => [.. (Environment.GetEnvironmentVariable("VOLMAN_TEST_SEED") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Select(ulong.Parse)];

    [PostgresFact]
    public async Task No_schedule_loses_what_was_acknowledged_or_leaves_anything_behind()
    {
        using var stop = new CancellationTokenSource();
        await Task.WhenAll(Enumerable.Range(0, Lanes).Select(lane => Task.Run(() => CheckAsync(lane, stop))));
    }

    async Task CheckAsync(int lane, CancellationTokenSource stop)
    {
        // A replayed schedule is wanted once.
        if (lane > 0 && Seed.Length > 0)
            return;
        var config = Config.QuickThrowOnFailure.WithMaxTest((Schedules + lane) / Lanes).WithStartSize(8).WithEndSize(30);
        if (Seed is [var seed, var gamma, .. var size])
            config = config.WithReplay(new Replay(new Rnd(seed, gamma), size is [var given] ? FSharpOption<int>.Some((int)given) : FSharpOption<int>.None));
        await using var runs = new Lane(stop, output);
        // FsCheck waits for nothing: this thread is the lane's own.
        await Task.Factory.StartNew(
            () => Check.One(config, Prop.ForAll(Simulation.Schedules.Arbitrary, schedule => runs.HoldsAsync(schedule).GetAwaiter().GetResult())),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        runs.ThrowIfNotStarted();
    }
}

/// <summary>A test that needs PostgreSQL's programs.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PostgresFactAttribute : FactAttribute
{
    public PostgresFactAttribute() => Skip = ClusterTools.WhyNoPostgres();
}
