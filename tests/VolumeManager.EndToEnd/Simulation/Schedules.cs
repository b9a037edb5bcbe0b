using FsCheck;
using FsCheck.Fluent;

namespace VolumeManager.EndToEnd.Simulation;

/// <summary>Random schedules. Beside single steps there are threads of several that belong together, such as a takeover, which chance alone would seldom bring about.</summary>
internal static class Schedules
{
    static readonly VolumeKind[] s_kinds =
    [
        new("shared", "delete"), new("shared", "trash"), new("single-host", "trash"), new("single-host", "delete"), new("single-caller", "trash"), new("read-only", "delete"),
    ];

    static readonly string[] s_callers = ["x", "y"];

    public static Arbitrary<Schedule> Arbitrary => Arb.From(Random, Smaller);

    static Gen<Schedule> Random =>
        from hosts in Gen.Choose(3, 5)
        from kinds in Gen.ArrayOf(Gen.Elements(s_kinds), 3)
        from delay in Gen.Elements(0, 0, 2, 8)
        from creators in Gen.ArrayOf(Gen.Choose(0, hosts - 1), kinds.Length)
        from threads in Thread(hosts, kinds.Length).ListOf()
        select new Schedule(hosts, kinds, delay, [.. creators.Select((host, i) => new Step(new Act(Verb.Create, host, i))), .. threads.SelectMany(steps => steps)]);

    static Gen<Step[]> Thread(int hosts, int volumes) => Gen.Frequency(
        (12, from act in Single(hosts, volumes) select new[] { new Step(act) }),
        (7, from step in Pair(hosts, volumes) select new[] { step }),
        (1, Takeover(hosts, volumes)),
        (1, WhileAway(hosts, volumes)));

    static Gen<Act> Single(int hosts, int volumes) =>
        from verb in Gen.Frequency(
            (8, Gen.Constant(Verb.Mount)), (5, Gen.Constant(Verb.Unmount)), (3, Gen.Constant(Verb.Create)), (3, Gen.Constant(Verb.Remove)), (2, Gen.Constant(Verb.Get)),
            (1, Gen.Constant(Verb.Kill)), (1, Gen.Constant(Verb.PowerCut)), (3, Gen.Constant(Verb.Start)),
            (2, Gen.Constant(Verb.Cut)), (3, Gen.Constant(Verb.Heal)), (1, Gen.Constant(Verb.Expire)), (2, Gen.Constant(Verb.Settle)))
        from act in Of(verb, hosts, volumes)
        select act;

    static Gen<Act> Of(Verb verb, int hosts, int volumes) =>
        from host in Gen.Choose(0, hosts - 1)
        from volume in Gen.Choose(0, volumes - 1)
        from caller in Gen.Elements(s_callers)
        select new Act(verb, host, volume, caller);

    /// <summary>Two calls about one volume, or what befalls a host and a call of its own.</summary>
    static Gen<Step> Pair(int hosts, int volumes) =>
        from verb in Gen.Frequency(
            (6, Gen.Constant(Verb.Mount)), (2, Gen.Constant(Verb.Unmount)), (3, Gen.Constant(Verb.Create)), (4, Gen.Constant(Verb.Remove)),
            (2, Gen.Constant(Verb.Kill)), (1, Gen.Constant(Verb.PowerCut)), (3, Gen.Constant(Verb.Cut)), (2, Gen.Constant(Verb.Heal)), (1, Gen.Constant(Verb.Expire)))
        from first in Of(verb, hosts, volumes)
        from other in Gen.Elements(Verb.Mount, Verb.Mount, Verb.Unmount, Verb.Create, Verb.Remove, Verb.Get)
        from beside in Of(other, hosts, volumes)
        from gap in Gen.Elements(0, 0, 1, 3, 8, 20)
        select first.IsCall ? new Step(first, beside with { Volume = first.Volume }, gap) : new Step(first, beside with { Host = first.Host }, gap);

    static Gen<Step[]> Takeover(int hosts, int volumes) =>
        from mount in Of(Verb.Mount, hosts, volumes)
        from how in Gen.Elements(Verb.Kill, Verb.PowerCut, Verb.Cut)
        from other in Gen.Choose(1, hosts - 1)
        from caller in Gen.Elements(s_callers)
        select new[]
        {
            new Step(mount), new Step(new Act(how, mount.Host)), new Step(new Act(Verb.Expire, mount.Host)),
            new Step(mount with { Host = (mount.Host + other) % hosts, Caller = caller }), new Step(new Act(how == Verb.Cut ? Verb.Heal : Verb.Start, mount.Host)),
        };

    /// <summary>A volume is removed, and perhaps made anew, while a host that knows it cannot hear of that.</summary>
    static Gen<Step[]> WhileAway(int hosts, int volumes) =>
        from mount in Of(Verb.Mount, hosts, volumes)
        from other in Gen.Choose(1, hosts - 1)
        from anew in Gen.Elements(true, false)
        from mountsFirst in Gen.Elements(true, false)
        let remove = new Act(Verb.Remove, (mount.Host + other) % hosts, mount.Volume)
        select (Step[])
        [
            new Step(mount with { Verb = Verb.Get }), new Step(new Act(Verb.Cut, mount.Host)), .. mountsFirst ? (Step[])[new Step(mount)] : [], new Step(remove),
            .. anew ? (Step[])[new Step(remove with { Verb = Verb.Create })] : [], new Step(mount), new Step(new Act(Verb.Heal, mount.Host)),
        ];

    /// <summary>First without a part of the steps, the larger the better, then with one act where there were two.</summary>
    static IEnumerable<Schedule> Smaller(Schedule schedule)
    {
        var steps = schedule.Steps;
        for (var length = steps.Count / 2; length > 0; length /= 2)
        {
            for (var start = 0; start < steps.Count; start += length)
                yield return schedule with { Steps = [.. steps.Take(start), .. steps.Skip(start + length)] };
        }
        for (var i = 0; i < steps.Count; i++)
        {
            if (steps[i].Beside is { } beside)
            {
                yield return schedule with { Steps = [.. steps.Take(i), new Step(steps[i].First), .. steps.Skip(i + 1)] };
                yield return schedule with { Steps = [.. steps.Take(i), new Step(beside), .. steps.Skip(i + 1)] };
            }
        }
    }
}
