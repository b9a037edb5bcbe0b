namespace VolumeManager.EndToEnd.Simulation;

/// <summary>Judges the answers of a step. Those of calls made at the same time are taken in the order that allows the most.</summary>
internal sealed class CallReview(Model model, Moment moment, MountReview mounts)
{
    static readonly Verb[] s_order = [Verb.Unmount, Verb.Mount, Verb.Create, Verb.Remove, Verb.Get];

    public void All()
    {
        var volumes = new VolumeReview(model, moment);
        Remember();
        foreach (var (act, answer) in moment.Results.Where(r => r.Act.IsCall).OrderBy(r => Array.IndexOf(s_order, r.Act.Verb)))
        {
            switch (act.Verb)
            {
                case Verb.Unmount:
                    mounts.Unmount(act, answer);
                    break;
                case Verb.Mount:
                    mounts.Mount(act, answer);
                    break;
                case Verb.Create:
                    volumes.Create(act, answer);
                    break;
                case Verb.Remove:
                    volumes.Remove(act, answer);
                    break;
                default:
                    volumes.Get(act, answer);
                    break;
            }
        }
        MountedAndUnmounted();
    }

    /// <summary>What was acknowledged must be in the host's history: every Mount, and the Unmounts of what was mounted.</summary>
    void Remember()
    {
        foreach (var host in moment.Results.Where(r => r.Answer.Outcome == Outcome.Done && r.Act.Verb is Verb.Mount or Verb.Unmount).GroupBy(r => r.Act.Host))
        {
            var certain = host.Where(r => r.Act.Verb == Verb.Mount || model.Uses[r.Act.Host].Holds(model.Names[r.Act.Volume], r.Act.Caller));
            model.History[host.Key].Add([.. certain.Select(r => mounts.LineOf(r.Act))]);
        }
    }

    /// <summary>One caller's Mount and Unmount at the same time: either may have been the first.</summary>
    void MountedAndUnmounted()
    {
        foreach (var mount in moment.Results.Where(r => r.Act.Verb == Verb.Mount && r.Answer.Outcome == Outcome.Done))
        {
            if (moment.Results.Any(r => r.Act == mount.Act with { Verb = Verb.Unmount }))
            {
                foreach (var use in model.Uses[mount.Act.Host].All.Where(use => use.Name == model.Names[mount.Act.Volume] && use.Caller == mount.Act.Caller && use.Min == 1))
                    use.Min = 0;
            }
        }
    }
}
