using System.Diagnostics;

namespace VolumeManager.EndToEnd.Simulation;

/// <summary>One schedule carried out, and judged after every step.</summary>
internal sealed class Run
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);

    readonly SimulatedCluster _cluster;
    readonly Schedule _schedule;
    readonly Model _model;
    readonly string _prefix;
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly List<string> _lines = [];
    Observation _seen = null!;

    public Run(SimulatedCluster cluster, Schedule schedule)
    {
        (_cluster, _schedule, _prefix) = (cluster, schedule, cluster.NextPrefix());
        _model = new Model(cluster, schedule, _prefix);
    }

    /// <summary>What was done, and what came of it.</summary>
    public string Story => string.Join('\n', _lines);

    public async Task ExecuteAsync()
    {
        foreach (var host in _model.Hosts)
            host.SetDelay(_schedule.Delay);
        _seen = await ObserveAsync();
        foreach (var step in _schedule.Steps)
            await TakeAsync(step);
        await new Ending(_model, _prefix, line => _lines.Add($"{_clock.ElapsedMilliseconds,6} ms  {line}")).ReachAsync();
    }

    async Task TakeAsync(Step step)
    {
        var moment = new Moment(_model.Hosts, _seen);
        var first = DoAsync(step.First);
        if (step.Gap > 0)
            await Task.Delay(step.Gap);
        var beside = step.Beside is null ? Task.FromResult<Result?>(null) : DoAsync(step.Beside);
        moment.Results = [.. (await Task.WhenAll(first, beside)).OfType<Result>()];
        if (moment.Results.Count == 0)
            return;
        _lines.Add($"{_clock.ElapsedMilliseconds,6} ms  {string.Join("  ||  ", moment.Results.Select(r => $"{r.Act}: {r.Answer}"))}");
        moment.After = await ObserveAsync();
        await JudgeAsync(moment);
        _seen = moment.After;
    }

    async Task JudgeAsync(Moment moment)
    {
        foreach (var host in _model.Hosts)
            host.CheckAlive();
        var catalog = new CatalogReview(_model, moment);
        var mounts = new MountReview(_model, moment);
        catalog.Volumes();
        mounts.Takeovers();
        new CallReview(_model, moment, mounts).All();
        foreach (var (host, uses) in _model.Each())
        {
            if (moment.Befell(host, Verb.Kill))
                uses.Killed();
            if (moment.Befell(host, Verb.PowerCut))
                uses.Clear();
        }
        await catalog.MountsAsync(ObserveAsync);
        await new KernelReview(_model, moment).MountsAsync();
    }

    Task<Observation> ObserveAsync() => _cluster.ObserveAsync(_prefix);

    /// <summary>Null when it makes no sense as things are.</summary>
    async Task<Result?> DoAsync(Act act)
    {
        var host = _model.Hosts[act.Host];
        switch (act.Verb)
        {
            case Verb.Kill when host.IsServing:
                await host.KillAsync();
                break;
            case Verb.PowerCut when host.IsOn:
                await host.CutPowerAsync();
                break;
            case Verb.Start when !host.IsServing:
                await host.StartAsync();
                break;
            case Verb.Cut when !host.IsCut:
                host.Cut();
                break;
            case Verb.Heal when host.IsCut:
                host.Heal();
                break;
            case Verb.Expire:
                await _cluster.ExpireAsync(host);
                break;
            case Verb.Settle:
                await Poll.UntilAsync("the hosts settle", async () => await ObserveAsync() is var seen && _model.Hosts.All(h => !h.IsServing || h.IsCut || seen.IsSettled(h)), s_patience);
                break;
            case var verb when act.IsCall && host.IsServing:
                var name = _model.Names[act.Volume];
                return new Result(act, await host.CallAsync($"{verb}", verb switch
                {
                    Verb.Create => new { Name = name, Opts = _model.OptionsOf(act.Volume) },
                    Verb.Mount or Verb.Unmount => new { Name = name, ID = act.Caller },
                    _ => new { Name = name },
                }));
            default:
                return null;
        }
        return new Result(act, new Answer(Outcome.Done));
    }
}
