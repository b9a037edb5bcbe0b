namespace VolumeManager.EndToEnd.Simulation;

/// <summary>
/// What the simulation knows of one host's mounts, as its engine would: what was acknowledged counts. After a call without an answer
/// it is known only between which bounds a count lies, until the catalog says it.
/// </summary>
internal sealed class HostUses
{
    readonly List<Use> _uses = [];

    /// <summary>One caller's mounts of one volume on this host.</summary>
    internal sealed class Use(Guid volume, string name, string caller)
    {
        public Guid Volume => volume;
        public string Name => name;
        public string Caller => caller;
        public int Min { get; set; }
        public int Max { get; set; }

        public override string ToString() => $"{name}/{caller}={Min}{(Min == Max ? "" : $"..{Max}")}";
    }

    public IReadOnlyList<Use> All => _uses;

    /// <summary>Volumes of which the host was told while it was in touch: it has to answer for them when it is not.</summary>
    public HashSet<Guid> Known { get; } = [];

    /// <summary>Volumes of which the catalog knows that this host has them mounted.</summary>
    public HashSet<Guid> Heard { get; } = [];

    /// <summary>Exclusive volumes that another host took from this one.</summary>
    public HashSet<Guid> Taken { get; } = [];

    /// <summary>Those of them that a restarted daemon may have let go: they were not mounted any more.</summary>
    public HashSet<Guid> Dropped { get; } = [];

    /// <summary>Whether a caller here has the volume for certain, and nobody has taken it.</summary>
    public bool Holds(Guid volume) => !Taken.Contains(volume) && _uses.Exists(use => use.Volume == volume && use.Min > 0);

    public bool MayHold(Guid volume) => _uses.Exists(use => use.Volume == volume);

    public bool MayHoldName(string name) => _uses.Exists(use => use.Name == name);

    public bool MayHold(string name, string caller) => _uses.Exists(use => use.Name == name && use.Caller == caller);

    public bool Holds(string name, string caller) => _uses.Exists(use => use.Name == name && use.Caller == caller && use.Min > 0 && !Taken.Contains(use.Volume));

    public void Mounted(Guid volume, string name, string caller, bool isCertain = true)
    {
        if (isCertain && Dropped.Contains(volume))
        {
            _uses.RemoveAll(u => u.Volume == volume);
            Forget();
        }
        var use = _uses.Find(u => u.Volume == volume && u.Caller == caller);
        if (use is null)
            _uses.Add(use = new Use(volume, name, caller));
        use.Max++;
        if (isCertain)
            use.Min++;
    }

    public void Unmounted(string name, string caller, bool isCertain = true)
    {
        Use[] due = [.. _uses.Where(u => u.Name == name && u.Caller == caller)];
        foreach (var use in due)
        {
            use.Min = Math.Max(0, use.Min - 1);
            if (isCertain && due.Length == 1)
                use.Max--;
        }
        Forget();
    }

    /// <summary>The catalog says how it is.</summary>
    public void Learn(Use use, int count)
    {
        (use.Min, use.Max) = (count, count);
        if (count > 0)
            Heard.Add(use.Volume);
        Forget();
    }

    /// <summary>The machine lost power.</summary>
    public void Clear()
    {
        foreach (var use in _uses)
            (use.Min, use.Max) = (0, 0);
        Forget();
        Known.Clear();
    }

    /// <summary>The daemon was killed: what it was told a moment ago it may have forgotten.</summary>
    public void Killed()
    {
        Known.RemoveWhere(volume => !Holds(volume));
        Dropped.UnionWith(Taken);
    }

    void Forget()
    {
        _uses.RemoveAll(use => use.Max == 0);
        Heard.RemoveWhere(volume => !MayHold(volume));
        Taken.RemoveWhere(volume => !MayHold(volume));
        Dropped.IntersectWith(Taken);
    }
}
