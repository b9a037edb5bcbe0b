namespace VolumeManager.EndToEnd.Simulation;

/// <summary>One step of a run: what was done, what came of it, what the catalog had before and after, and how the hosts were placed.</summary>
internal sealed class Moment
{
    readonly HashSet<string> _settled;
    readonly HashSet<string> _cut;

    /// <summary>As it is before the step.</summary>
    public Moment(IReadOnlyList<SimulatedHost> hosts, Observation before)
    {
        Before = After = before;
        _settled = [.. hosts.Where(before.IsSettled).Select(host => host.Name)];
        _cut = [.. hosts.Where(host => host.IsCut).Select(host => host.Name)];
    }

    public Observation Before { get; }
    public Observation After { get; set; }
    public IReadOnlyList<Result> Results { get; set; } = [];

    /// <summary>In touch with the catalog all the time, with nothing to tell it: no excuse counts.</summary>
    public bool IsSteady(SimulatedHost host) => _settled.Contains(host.Name) && !Results.Any(r => !r.Act.IsCall && IsOf(r, host));

    /// <summary>It may have spoken with the catalog.</summary>
    public bool CanReach(SimulatedHost host) => !_cut.Contains(host.Name) || Befell(host, Verb.Heal);

    public bool Befell(SimulatedHost host, params ReadOnlySpan<Verb> verbs)
    {
        foreach (var verb in verbs)
        {
            if (Results.Any(r => r.Act.Verb == verb && IsOf(r, host)))
                return true;
        }
        return false;
    }

    /// <summary>Lease and grace were over, so its exclusive volumes may have been taken.</summary>
    public bool WasOver(SimulatedHost host) => Before.Hosts[host.Name].IsOver || Befell(host, Verb.Expire);

    /// <summary>It had no lease from the beginning to the end.</summary>
    public bool HadNoLease(SimulatedHost host) => Before.Hosts[host.Name].IsOver && After.Hosts[host.Name].IsOver;

    /// <summary>Whether such a call was made in this step, whatever came of it.</summary>
    public bool Tried(Verb verb, int volume) => Results.Any(r => r.Act.Verb == verb && r.Act.Volume == volume);

    static bool IsOf(Result result, SimulatedHost host) => $"host{result.Act.Host}" == host.Name;
}
