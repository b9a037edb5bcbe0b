using FsCheck;
using FsCheck.Fluent;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Mounts;

/// <summary>Random sequences of calls, restarts and reboots against a small model: counts, kernel mounts and catalog must agree after every step.</summary>
public class MountModelTests
{
    static readonly string[] Names = ["a", "b", "c"];
    static readonly string[] Callers = ["x", "y", ""];

    /// <summary>One step: what, of which volume, for which caller.</summary>
    public sealed record Request(string Verb, string Volume, string Caller)
    {
        public override string ToString() => $"{Verb}({Volume},{Caller})";
    }

    static Gen<Request> Requests => Gen.Frequency(
        (6, Of("mount")), (6, Of("unmount")), (3, Of("create")), (2, Of("remove")), (1, Of("restart")), (1, Of("reboot")), (1, Of("engine-restart")));

    static Gen<Request> Of(string verb) =>
        from volume in Gen.Elements(Names)
        from caller in Gen.Elements(Callers)
        select new Request(verb, volume, caller);

    /// <summary>How many sequences are tried; each is replayed by its seed, which a failure prints.</summary>
    static int Sequences => int.TryParse(Environment.GetEnvironmentVariable("VOLMAN_TEST_SEQUENCES"), out var count) ? count : 60;

    [Fact]
    public void Counts_kernel_and_catalog_agree_after_every_step() =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(Sequences).WithEndSize(30),
            Prop.ForAll(Requests.ListOf().ToArbitrary(), steps => RunAsync(steps).GetAwaiter().GetResult()));

    static async Task<bool> RunAsync(IEnumerable<Request> steps)
    {
        await using var host = await TestHost.StartNewAsync();
        var model = new Dictionary<string, Dictionary<string, int>>();
        await host.Engine.ActivateAsync();
        foreach (var step in steps)
        {
            await ApplyAsync(host, model, step);
            await CompareAsync(host, model, step);
        }

        return true;
    }

    static async Task ApplyAsync(TestHost host, Dictionary<string, Dictionary<string, int>> model, Request step)
    {
        var known = model.TryGetValue(step.Volume, out var counts);
        switch (step.Verb)
        {
            case "create":
                AssertDone(step, await host.Engine.CreateAsync(step.Volume));
                model.TryAdd(step.Volume, []);
                break;
            case "remove":
                var removed = await host.Engine.RemoveAsync(step.Volume);
                Assert.True((!known || counts!.Count == 0) == (removed.Length == 0), $"{step}: {removed}");
                if (known && counts!.Count == 0) model.Remove(step.Volume);
                break;
            case "mount":
                Assert.Equal(known, (await host.Engine.MountAsync(step.Volume, step.Caller)).Length == 0);
                if (known) counts![step.Caller] = counts.GetValueOrDefault(step.Caller) + 1;
                break;
            case "unmount":
                AssertDone(step, await host.Engine.UnmountAsync(step.Volume, step.Caller));
                if (known) Release(counts!, step.Caller, await host.MountRowsAsync(step.Volume));
                break;
            case "restart":
                await host.RestartAsync();
                break;
            case "reboot":
                await host.RebootAsync();
                foreach (var volume in model.Values) volume.Clear();
                break;
            case "engine-restart":
                // No container holds anything here, so all mounts of the dead engine are given up.
                await host.Engine.ActivateAsync();
                await Poll.UntilAsync("the dead engine's mounts are dropped", async () => await host.CountMountRowsAsync() == 0);
                foreach (var volume in model.Values) volume.Clear();
                break;
            default:
                throw new InvalidOperationException(step.Verb);
        }
    }

    static void AssertDone(Request step, string error) => Assert.True(error.Length == 0, $"{step}: {error}");

    static void Release(Dictionary<string, int> counts, string caller, string rowsAfter)
    {
        var due = counts.ContainsKey(caller) ? caller : null;
        if (due is null && caller.Length == 0 && counts.Count > 0)
        {
            // An Unmount without an id may take any caller's mount: see which one it was.
            due = counts.Keys.Single(c => !rowsAfter.Split(' ').Contains($"{c}={counts[c]}"));
        }

        if (due is null) return;
        if (--counts[due] == 0) counts.Remove(due);
    }

    static async Task CompareAsync(TestHost host, Dictionary<string, Dictionary<string, int>> model, Request step)
    {
        Assert.Equal(model.Keys.Order(StringComparer.Ordinal), await host.Engine.ListAsync());
        Assert.Equal(model.Where(v => v.Value.Count > 0).Select(v => v.Key).Order(StringComparer.Ordinal), host.KernelMounts());
        foreach (var (volume, counts) in model)
        {
            var expected = string.Join(" ", counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Key}={c.Value}"));
            Assert.True(expected == await host.MountRowsAsync(volume), $"after {step}: {volume} should have {expected}");
            Assert.True(Directory.Exists(host.DataOf(volume)));
        }
    }
}
