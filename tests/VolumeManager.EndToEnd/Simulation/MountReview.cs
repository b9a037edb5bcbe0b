namespace VolumeManager.EndToEnd.Simulation;

/// <summary>Judges the answers to Mount and Unmount, and what was taken over from whom.</summary>
internal sealed class MountReview(Model model, Moment moment)
{
    /// <summary>A volume's epoch has grown: its holders have lost it, which none may whose lease was good.</summary>
    public void Takeovers()
    {
        foreach (var volume in moment.After.Volumes)
        {
            if (moment.Before.Volumes.FirstOrDefault(v => v.Id == volume.Id) is not { } before || before.Epoch == volume.Epoch)
                continue;
            foreach (var (host, uses) in model.Each())
            {
                var isTaker = moment.Results.Any(r => r.Act.Verb == Verb.Mount && model.Names[r.Act.Volume] == volume.Name && model.Hosts[r.Act.Host] == host);
                if (isTaker || !uses.MayHold(volume.Id))
                    continue;
                Assert.True(moment.WasOver(host) || !uses.Holds(volume.Id), $"{volume.Name} was taken from {host.Name}, whose lease was good");
                uses.Taken.Add(volume.Id);
            }
        }
    }

    public void Mount(Act act, Answer answer)
    {
        var (host, uses, name) = (model.Hosts[act.Host], model.Uses[act.Host], model.Names[act.Volume]);
        switch (answer.Outcome)
        {
            case Outcome.Done:
                var volume = MountedVolume(host, name);
                if (model.KindOf(act.Volume).IsExclusive)
                    MayHaveAlone(act, volume);
                Assert.True(!uses.Taken.Contains(volume) || uses.Dropped.Contains(volume), "mounted once more although another host took it");
                if (moment.IsSteady(host))
                {
                    uses.Heard.Add(volume);
                    uses.Known.Add(volume);
                }
                uses.Mounted(volume, name, act.Caller);
                break;
            case Outcome.Refused:
                Assert.True(MayBeRefused(act, answer), "refused without a reason");
                model.PerhapsHistory[act.Host].Add(LineOf(act));
                break;
            default:
                Assert.True(moment.Befell(host, Verb.Kill, Verb.PowerCut), "no answer although the daemon runs");
                foreach (var perhaps in new[] { moment.Before.Living(name)?.Id, moment.After.Living(name)?.Id }.OfType<Guid>().Distinct())
                    uses.Mounted(perhaps, name, act.Caller, isCertain: false);
                model.PerhapsHistory[act.Host].Add(LineOf(act));
                break;
        }
    }

    public void Unmount(Act act, Answer answer)
    {
        var (host, uses, name) = (model.Hosts[act.Host], model.Uses[act.Host], model.Names[act.Volume]);
        Assert.NotEqual(Outcome.Refused, answer.Outcome);
        if (answer.Outcome == Outcome.None)
            Assert.True(moment.Befell(host, Verb.Kill, Verb.PowerCut), "no answer although the daemon runs");
        if (answer.Outcome == Outcome.None || !uses.Holds(name, act.Caller))
            model.PerhapsHistory[act.Host].Add(LineOf(act));
        uses.Unmounted(name, act.Caller, isCertain: answer.Outcome == Outcome.Done);
    }

    public string LineOf(Act act) => $"{act.Verb} {model.Names[act.Volume]} {act.Caller}";

    /// <summary>Whose data the caller sees.</summary>
    Guid MountedVolume(SimulatedHost host, string name)
    {
        if (host.KernelMounts().Contains(name, StringComparer.Ordinal) && host.Read(name, SimulatedCluster.Marker) is { } marker)
            return Guid.Parse(marker);
        // It was unmounted, or the machine lost power, in the same step.
        var volume = moment.After.Living(name) ?? moment.Before.Living(name);
        Assert.True(volume is not null, "a volume that is not there was mounted");
        return volume.Id;
    }

    void MayHaveAlone(Act act, Guid volume)
    {
        var (host, uses) = (model.Hosts[act.Host], model.Uses[act.Host]);
        Assert.True(moment.CanReach(host), "an exclusive volume was mounted without the catalog");
        Assert.False(moment.HadNoLease(host), "an exclusive volume was mounted without a lease");
        foreach (var (other, held) in model.Each())
            Assert.False(other != host && held.Holds(volume), $"two live holders: {other.Name} has it");
        var isAlone = !uses.All.Any(use => use.Volume == volume && use.Min > 0 && use.Caller != act.Caller && !uses.Taken.Contains(volume));
        Assert.True(isAlone || model.KindOf(act.Volume).Access != "single-caller", "two live holders: another caller has it");
    }

    bool MayBeRefused(Act act, Answer answer)
    {
        var (host, uses, name) = (model.Hosts[act.Host], model.Uses[act.Host], model.Names[act.Volume]);
        if (!moment.Before.IsReady(name) || !moment.After.IsReady(name) || moment.Before.Living(name)!.Id != moment.After.Living(name)!.Id)
            return true;
        var volume = moment.After.Living(name)!.Id;
        if (uses.Taken.Contains(volume) || uses.All.Any(use => use.Name == name && use.Volume != volume))
            return true;
        // What it does not know, or knows only as it was before, it need not mount.
        if (!moment.IsSteady(host) && (answer.IsAway ? model.KindOf(act.Volume).IsExclusive || !uses.Known.Contains(volume) : !uses.Known.Contains(volume)))
            return true;
        return model.KindOf(act.Volume) switch
        {
            { IsExclusive: false } => false,
            { Access: "single-host" } => OthersWanted(act, row => row.Host != host.Name, other => other.Host != act.Host),
            _ => OthersWanted(act, row => row.Host != host.Name || row.Caller != act.Caller, other => other.Host != act.Host || other.Caller != act.Caller),
        };
    }

    /// <summary>Somebody else had it, or wants it at the same time.</summary>
    bool OthersWanted(Act act, Func<Observation.MountRow, bool> isOther, Func<Act, bool> isOthers)
    {
        var name = model.Names[act.Volume];
        return moment.Before.RowsOf(name).Concat(moment.After.RowsOf(name)).Any(isOther)
            || moment.Results.Any(r => r.Act.Verb == Verb.Mount && r.Act.Volume == act.Volume && isOthers(r.Act));
    }
}
