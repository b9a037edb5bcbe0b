namespace VolumeManager.EndToEnd.Simulation;

internal enum Verb
{
    Create,
    Mount,
    Unmount,
    Remove,
    Get,

    /// <summary>kill -9 of the daemon. The machine's mounts stay.</summary>
    Kill,

    /// <summary>The machine is off: its processes and mounts are gone, and it will have another boot id.</summary>
    PowerCut,

    /// <summary>What was killed or cut off from power runs again.</summary>
    Start,

    /// <summary>The host's way to the database breaks.</summary>
    Cut,
    Heal,

    /// <summary>So much time passes that a host's lease and the grace after it are over, by the database's clock.</summary>
    Expire,

    /// <summary>Not of a host: all that can take part in the cluster have joined, and told it all that they know.</summary>
    Settle,
}

/// <summary>What the volumes of one name are created with.</summary>
internal sealed record VolumeKind(string Access, string OnRemove)
{
    public bool IsExclusive => Access.StartsWith("single-", StringComparison.Ordinal);

    public override string ToString() => $"{Access}/{OnRemove}";
}

/// <summary>One call that a host's engine makes, or one thing that befalls a host.</summary>
internal sealed record Act(Verb Verb, int Host, int Volume = 0, string Caller = "")
{
    public bool IsCall => Verb <= Verb.Get;

    public override string ToString() => Verb == Verb.Settle ? "Settle" : $"host{Host} {Verb}" + (Verb switch
    {
        Verb.Mount or Verb.Unmount => $" v{Volume} for {Caller}",
        Verb.Create or Verb.Remove or Verb.Get => $" v{Volume}",
        _ => "",
    });
}

/// <summary>An act, and perhaps a call that is made some milliseconds after the act has begun, without waiting for its end.</summary>
internal sealed record Step(Act First, Act? Beside = null, int Gap = 0)
{
    public IEnumerable<Act> Acts => Beside is null ? [First] : [First, Beside];

    public override string ToString() => Beside is null ? $"{First}" : $"{First}  ||  {Gap} ms later {Beside}";
}

/// <summary>What is done to a cluster: how many hosts take part, the kinds of its volumes, how slow the way to the database is, and the steps one after the other.</summary>
internal sealed record Schedule(int Hosts, IReadOnlyList<VolumeKind> Volumes, int Delay, IReadOnlyList<Step> Steps)
{
    public override string ToString() =>
        $"{Hosts} hosts, {Delay} ms to the database, volumes {string.Join(", ", Volumes.Select((kind, i) => $"v{i} {kind}"))}\n  {string.Join("\n  ", Steps)}";
}
