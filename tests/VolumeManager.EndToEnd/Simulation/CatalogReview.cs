namespace VolumeManager.EndToEnd.Simulation;

/// <summary>What the catalog must have after a step: every acknowledged volume, and every acknowledged mount, and no other ones.</summary>
internal sealed class CatalogReview(Model model, Moment moment)
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(90);

    public void Volumes()
    {
        for (var i = 0; i < model.Names.Count; i++)
        {
            var name = model.Names[i];
            var (before, after) = (moment.Before.Living(name), moment.After.Living(name));
            if (before is not null && (after?.Id != before.Id || after.State != before.State))
                Assert.True(moment.Tried(Verb.Remove, i) || model.DoubtfulRemoves.Contains(name), $"{name} is lost, or being removed, and nobody removed it");
            if (after is not null && after.Id != before?.Id)
                Assert.True(moment.Tried(Verb.Create, i) || model.DoubtfulCreates.Contains(name), $"{name} is there, and nobody created it");
            Data(name);
        }
    }

    /// <summary>A volume's directory is there with its own data, and a new volume's is empty.</summary>
    void Data(string name)
    {
        if (!moment.After.IsReady(name))
            return;
        var volume = moment.After.Living(name)!.Id;
        Assert.True(Directory.Exists(model.Cluster.DataOf(name)), $"the directory of {name} is lost");
        if (model.Marked.Add(volume))
        {
            Assert.Empty(Directory.EnumerateFileSystemEntries(model.Cluster.DataOf(name)));
            File.WriteAllText(Path.Combine(model.Cluster.DataOf(name), SimulatedCluster.Marker), $"{volume}");
        }
        else
            Assert.Equal(volume, model.Cluster.DataAt(name));
    }

    /// <summary>Waits until the catalog agrees with each host that has nothing left to tell it, and takes over what was in doubt.</summary>
    public async Task MountsAsync(Func<Task<Observation>> observe)
    {
        string? wrong = null;
        await Poll.ForAsync<string?>(null, async () =>
        {
            if (wrong is not null)
                moment.After = await observe();
            return wrong = model.Each().Select(each => Wrong(each.Host, each.Uses)).FirstOrDefault(text => text is not null);
        }, s_patience);
        Assert.True(wrong is null, wrong);
        foreach (var (host, uses) in model.Each().Where(each => moment.After.IsSettled(each.Host)))
        {
            foreach (var use in uses.All.Where(use => !uses.Taken.Contains(use.Volume)).ToList())
                uses.Learn(use, CountOf(host, use));
        }
    }

    string? Wrong(SimulatedHost host, HostUses uses)
    {
        if (!moment.After.IsSettled(host))
        {
            return uses.All.FirstOrDefault(use => uses.Holds(use.Volume) && uses.Heard.Contains(use.Volume)
                && !moment.After.Mounts.Any(row => row.Host == host.Name && row.Volume == use.Volume)) is { } lost ? $"the catalog has lost the acknowledged mount {lost} of {host.Name}" : null;
        }

        foreach (var use in uses.All)
        {
            var count = CountOf(host, use);
            var isRight = uses.Taken.Contains(use.Volume) ? count == 0 : use.Min <= count && count <= use.Max;
            if (!isRight)
                return $"the catalog has {count} mounts of {use} of {host.Name}{(uses.Taken.Contains(use.Volume) ? ", from which it was taken" : "")}";
        }
        var unknown = moment.After.Mounts.FirstOrDefault(row => row.Host == host.Name && !uses.All.Any(use => use.Volume == row.Volume && use.Caller == row.Caller));
        return unknown is null ? null : $"the catalog has a mount of {moment.After.Volumes.First(v => v.Id == unknown.Volume).Name} by {unknown.Caller} on {host.Name} that is none";
    }

    int CountOf(SimulatedHost host, HostUses.Use use) =>
        moment.After.Mounts.FirstOrDefault(row => row.Host == host.Name && row.Volume == use.Volume && row.Caller == use.Caller)?.Count ?? 0;
}
