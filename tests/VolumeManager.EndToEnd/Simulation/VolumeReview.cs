namespace VolumeManager.EndToEnd.Simulation;

/// <summary>Judges the answers to Create, Remove and Get.</summary>
internal sealed class VolumeReview(Model model, Moment moment)
{
    public void Create(Act act, Answer answer)
    {
        var (host, uses, name) = (model.Hosts[act.Host], model.Uses[act.Host], model.Names[act.Volume]);
        switch (answer.Outcome)
        {
            case Outcome.Done when !moment.IsSteady(host) && moment.After.Living(name) is null:
                // A host that is not in touch repeats what it knows: there was such a volume.
                Assert.True(moment.Before.Volumes.Any(v => v.Name == name), "a new volume was acknowledged without the catalog");
                break;
            case Outcome.Done:
                Assert.True(moment.After.Living(name) is not null || moment.Tried(Verb.Remove, act.Volume) || model.DoubtfulRemoves.Contains(name), "an acknowledged volume is lost");
                if (moment.IsSteady(host))
                    Know(act, uses);
                break;
            case Outcome.Refused:
                var isOldInUse = uses.All.Any(use => use.Name == name && use.Volume != moment.After.Living(name)?.Id);
                // A host that was killed in the middle of a removal leaves it to be finished two minutes later.
                var isGoing = moment.Before.Living(name)?.State == "removing" || moment.After.Living(name)?.State == "removing";
                Assert.True(answer.IsAway && !moment.IsSteady(host) || isOldInUse || isGoing, "refused without a reason");
                model.DoubtfulCreates.Add(name);
                break;
            default:
                MustHaveEnded(host);
                model.DoubtfulCreates.Add(name);
                break;
        }
    }

    public void Remove(Act act, Answer answer)
    {
        var (host, uses, name) = (model.Hosts[act.Host], model.Uses[act.Host], model.Names[act.Volume]);
        var before = moment.Before.Living(name);
        switch (answer.Outcome)
        {
            case Outcome.Done:
                Assert.True(moment.CanReach(host) || before is null, "a removal was acknowledged without the catalog");
                Assert.True(moment.After.Living(name) is not { } now || now.Id != before?.Id, "what was removed is still there");
                foreach (var (other, held) in model.Each())
                {
                    // A mount that the catalog could not hear of is not in the way. Its data waits in the trash.
                    Assert.False(before is not null && held.Holds(before.Id) && held.Heard.Contains(before.Id), $"removed while {other.Name} uses it");
                }
                break;
            case Outcome.Refused:
                var isHeld = RowsOf(name).Any() || uses.MayHoldName(name) || moment.Tried(Verb.Mount, act.Volume);
                Assert.True(answer.IsAway && !moment.IsSteady(host) || isHeld, "refused without a reason");
                if (answer.IsAway)
                    model.DoubtfulRemoves.Add(name);
                break;
            default:
                MustHaveEnded(host);
                model.DoubtfulRemoves.Add(name);
                break;
        }
    }

    public void Get(Act act, Answer answer)
    {
        var (host, uses, name) = (model.Hosts[act.Host], model.Uses[act.Host], model.Names[act.Volume]);
        var stays = moment.Before.Living(name) is { } before && moment.After.Living(name)?.Id == before.Id;
        switch (answer.Outcome)
        {
            case Outcome.Done:
                var isThere = moment.Before.Living(name) is not null || moment.After.Living(name) is not null || uses.MayHoldName(name);
                Assert.True(isThere || !moment.IsSteady(host), "a volume is shown that is not there");
                if (moment.IsSteady(host))
                    Know(act, uses);
                break;
            case Outcome.Refused:
                Assert.False(stays, "a volume that is there is denied, and the engine forgets it");
                break;
            default:
                var isKnown = stays && uses.Known.Contains(moment.After.Living(name)!.Id);
                Assert.True(HasEnded(host) || (!moment.IsSteady(host) && !isKnown), "no answer about a volume that the host knows");
                break;
        }
    }

    void Know(Act act, HostUses uses)
    {
        if (moment.After.Living(model.Names[act.Volume]) is { } living && (moment.Before.Living(living.Name) is not { } before || before.Id == living.Id))
            uses.Known.Add(living.Id);
    }

    IEnumerable<Observation.MountRow> RowsOf(string name) => moment.Before.RowsOf(name).Concat(moment.After.RowsOf(name));

    bool HasEnded(SimulatedHost host) => moment.Befell(host, Verb.Kill, Verb.PowerCut);

    void MustHaveEnded(SimulatedHost host) => Assert.True(HasEnded(host), "no answer although the daemon runs");
}
