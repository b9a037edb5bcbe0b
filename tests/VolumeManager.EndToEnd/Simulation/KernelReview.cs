namespace VolumeManager.EndToEnd.Simulation;

/// <summary>What the kernels must have after a step: what is in use is mounted once and shows its own data, and nothing else is mounted for long.</summary>
internal sealed class KernelReview(Model model, Moment moment)
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);

    public async Task MountsAsync()
    {
        foreach (var (host, uses) in model.Each().Where(each => each.Host.IsOn))
        {
            var mounted = host.KernelMounts();
            foreach (var name in model.Names)
            {
                if (uses.All.FirstOrDefault(use => use.Name == name && uses.Holds(use.Volume)) is { } used)
                    InUse(host, mounted, used);
                else if (mounted.Contains(name, StringComparer.Ordinal) && moment.After.IsSettled(host) && uses.All.All(use => use.Name != name || uses.Taken.Contains(use.Volume)))
                    await Poll.UntilAsync($"{host.Name} unmounts {name}, which nobody uses", () => !host.KernelMounts().Contains(name, StringComparer.Ordinal), s_patience);
            }
        }
    }

    void InUse(SimulatedHost host, IReadOnlyList<string> mounted, HostUses.Use used)
    {
        var times = mounted.Count(name => name == used.Name);
        Assert.True(times == 1, $"{used} is mounted {times} times on {host.Name}");
        var marker = host.Read(used.Name, SimulatedCluster.Marker);
        Assert.True(marker == $"{used.Volume}", $"{used} of {host.Name} does not show the data of {used.Volume}, but {marker ?? "nothing"}");
    }
}
