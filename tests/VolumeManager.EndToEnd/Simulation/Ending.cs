namespace VolumeManager.EndToEnd.Simulation;

/// <summary>The end of a run: all is healed and started, all agree; then all is unmounted and removed, and nothing may be left.</summary>
internal sealed class Ending(Model model, string prefix, Action<string> say)
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);

    public async Task ReachAsync()
    {
        say("the end: all is healed and started");
        await HealAsync();
        await AgreeAsync();
        say("all is unmounted");
        await UnmountAsync();
        await HistoryAsync();
        say("all is removed");
        await RemoveAsync();
        say("nothing is left");
    }

    async Task HealAsync()
    {
        foreach (var (host, uses) in model.Each())
        {
            host.SetDelay(0);
            if (host.IsCut)
                host.Heal();
        }
        foreach (var host in model.Hosts.Where(host => !host.IsServing))
        {
            // Time passes: nobody has to wait for the lease of before a power cut.
            if (!host.IsOn)
                await model.Cluster.ExpireAsync(host);
            await host.StartAsync();
        }
        await Poll.UntilAsync("all hosts settle", async () => await ObserveAsync() is var seen && model.Hosts.All(seen.IsSettled), s_patience);
    }

    async Task AgreeAsync()
    {
        var moment = new Moment(model.Hosts, await ObserveAsync());
        var catalog = new CatalogReview(model, moment);
        catalog.Volumes();
        await catalog.MountsAsync(ObserveAsync);
        await new KernelReview(model, moment).MountsAsync();
        foreach (var (host, uses) in model.Each())
        {
            foreach (var name in model.Names)
            {
                var isThere = moment.After.Living(name) is not null || uses.MayHoldName(name);
                Assert.Equal((host.Name, name, isThere ? Outcome.Done : Outcome.Refused), (host.Name, name, (await host.CallAsync("Get", new { Name = name })).Outcome));
            }
        }
    }

    async Task UnmountAsync()
    {
        foreach (var ((host, uses), number) in model.Each().Select((each, i) => (each, i)))
        {
            foreach (var use in uses.All.ToList())
            {
                for (var i = use.Max; i > 0; i--)
                {
                    Assert.Equal(new Answer(Outcome.Done), await host.CallAsync("Unmount", new { use.Name, ID = use.Caller }));
                    if (use.Min > i - 1 && !uses.Taken.Contains(use.Volume))
                        model.History[number].Add([$"Unmount {use.Name} {use.Caller}"]);
                    else
                        model.PerhapsHistory[number].Add($"Unmount {use.Name} {use.Caller}");
                }
            }
            uses.Clear();
        }
        string left = "";
        Assert.Equal("", await Poll.ForAsync("", async () => left = await LeftAsync(), s_patience));
    }

    /// <summary>Mount rows, kernel mounts, and what is in the ledgers.</summary>
    async Task<string> LeftAsync()
    {
        var left = new List<string>();
        left.AddRange((await ObserveAsync()).Mounts.Select(row => $"{row}"));
        foreach (var host in model.Hosts)
        {
            left.AddRange(host.KernelMounts().Select(name => $"mount of {name} on {host.Name}"));
            if (left.Count == 0 && await host.LedgerAsync() is { Length: > 0 } ledger)
                left.Add($"ledger of {host.Name}: {ledger}");
        }
        return string.Join('\n', left);
    }

    /// <summary>Every acknowledged Mount and Unmount is told once, those of a host in their order.</summary>
    async Task HistoryAsync()
    {
        for (var i = 0; i < model.Hosts.Count; i++)
        {
            var told = await model.Cluster.HistoryAsync(model.Hosts[i], prefix);
            var from = 0;
            foreach (var step in model.History[i])
                from = step.Length == 0 ? from : Orders(step).Min(order => order.Aggregate(from, (at, line) => After(told, at, line)));
            var expected = string.Join(", ", model.History[i].SelectMany(step => step));
            Assert.True(from <= told.Length, $"the history of {model.Hosts[i].Name} should have {expected}, and has {string.Join(", ", told)}");
            var most = model.History[i].SelectMany(step => step).Concat(model.PerhapsHistory[i]).CountBy(line => line).ToDictionary();
            foreach (var (line, count) in told.CountBy(line => line))
                Assert.True(count <= most.GetValueOrDefault(line), $"the history of {model.Hosts[i].Name} has {line} {count} times, and should have {expected}");
        }
    }

    static IEnumerable<IEnumerable<string>> Orders(string[] step) => [step, step.Reverse()];

    /// <summary>Where the history goes on after the next such line; beyond its end if there is none.</summary>
    static int After(string[] told, int from, string line) => from > told.Length || Array.IndexOf(told, line, from) is not (>= 0 and var at) ? told.Length + 1 : at + 1;

    async Task RemoveAsync()
    {
        var seen = await ObserveAsync();
        foreach (var (name, i) in model.Names.Select((name, i) => (name, i)).Where(each => seen.Living(each.name) is not null))
            Assert.Equal(new Answer(Outcome.Done), await model.Hosts[i % model.Hosts.Count].CallAsync("Remove", new { Name = name }));
        Assert.DoesNotContain((await ObserveAsync()).Volumes, volume => volume.State is "ready" or "removing");
        foreach (var directory in Directory.EnumerateDirectories(model.Cluster.DataRoot, prefix + "*"))
        {
            // A Create that was cut off may leave an empty one, which the next one takes.
            Assert.Empty(Directory.EnumerateFileSystemEntries(directory));
            Directory.Delete(directory);
        }
    }

    Task<Observation> ObserveAsync() => model.Cluster.ObserveAsync(prefix);
}
