namespace VolumeManager.EndToEnd.Simulation;

/// <summary>What the simulation knows for certain of a run so far, and what it is in doubt of.</summary>
internal sealed class Model(SimulatedCluster cluster, Schedule schedule, string prefix)
{
    public SimulatedCluster Cluster => cluster;

    /// <summary>The hosts that take part.</summary>
    public IReadOnlyList<SimulatedHost> Hosts { get; } = [.. cluster.Hosts.Take(schedule.Hosts)];

    public IReadOnlyList<HostUses> Uses { get; } = [.. cluster.Hosts.Take(schedule.Hosts).Select(_ => new HostUses())];

    public IReadOnlyList<string> Names { get; } = [.. schedule.Volumes.Select((_, i) => $"{prefix}v{i}")];

    /// <summary>Volumes whose data has been marked as theirs.</summary>
    public HashSet<Guid> Marked { get; } = [];

    /// <summary>Names of which a Create, or a Remove, was not acknowledged and may have been done, or be done yet.</summary>
    public HashSet<string> DoubtfulCreates { get; } = [];

    public HashSet<string> DoubtfulRemoves { get; } = [];

    /// <summary>For each host the Mounts and Unmounts that its history must have: those of a step, which may be in either order.</summary>
    public IReadOnlyList<List<string[]>> History { get; } = [.. cluster.Hosts.Take(schedule.Hosts).Select(_ => new List<string[]>())];

    /// <summary>The same that it may have.</summary>
    public IReadOnlyList<List<string>> PerhapsHistory { get; } = [.. cluster.Hosts.Take(schedule.Hosts).Select(_ => new List<string>())];

    public VolumeKind KindOf(int volume) => schedule.Volumes[volume];

    public Dictionary<string, string> OptionsOf(int volume) =>
        new(StringComparer.Ordinal) { ["access"] = KindOf(volume).Access, ["on-remove"] = KindOf(volume).OnRemove };

    public IEnumerable<(SimulatedHost Host, HostUses Uses)> Each() => Hosts.Zip(Uses);
}
