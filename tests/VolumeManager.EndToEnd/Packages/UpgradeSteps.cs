using System.Text.RegularExpressions;
using Npgsql;
using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>What is done to a cluster that is upgraded host by host, and what must be true after each step.</summary>
internal sealed class UpgradeSteps(ClusterScene scene, string earlier)
{
    readonly Dictionary<Node, string> _containers = [];

    /// <summary>A container that writes to a file of its own in the volume.</summary>
    public async Task StartCountingAsync(Node node, string volume, string name = "counts")
    {
        await node.StartContainerAsync(name, $"--volume {volume}:/x", Counting.ScriptFor($"{node.Name}.{name}"));
        _containers[node] = name;
        await Counting.GoesOnAsync(FileOf(node, volume));
    }

    /// <summary>The new program brings the schema up to date while somebody reads the tables for long, as a backup does, and the old daemons go on meanwhile.</summary>
    public async Task MigrateBehindAReaderAsync(UpgradeLoad load)
    {
        if (!(await scene.Catalog.VolmanAsync("migrate --dry-run")).StartsWith("Would apply", StringComparison.Ordinal))
            return; // This release has the schema of the one before.
        Task<string> migrating;
        await using (var reader = await scene.Catalog.OpenAsync())
        {
            await using var begin = new NpgsqlCommand("BEGIN; SELECT count(*) FROM volumes", reader);
            await begin.ExecuteNonQueryAsync();
            migrating = scene.Catalog.VolmanAsync("migrate");
            await Poll.UntilAsync("volman migrate waits for the reader",
                async () => await scene.Catalog.ReadAsync("SELECT 'waits' FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' LIMIT 1") is not null);
            await load.RunsAsync();
            Assert.False(migrating.IsCompleted, "The schema was changed under a reader.");
        }

        Assert.StartsWith("Applied", await migrating, StringComparison.Ordinal);
        scene.Note(await migrating);
    }

    /// <summary>What is restored or purged has states that a daemon of 0.1 cannot read: as long as there is one, both wait.</summary>
    public async Task NothingLeavesTheTrashYetAsync(Node node, string trashed, string doomed)
    {
        if (!(await ReleaseTools.VersionAsync(earlier)).StartsWith("0.1.", StringComparison.Ordinal))
            return;
        var refused = await TryVolmanAsync(node, $"volume restore {trashed}");
        Assert.False(refused.Succeeded, refused.Output);
        Assert.Matches($"host (host2|host3) runs volman {Regex.Escape(await ReleaseTools.VersionAsync(earlier))}", refused.Errors);
        // It is this host's turn to purge, for all.
        for (var (passes, until) = (0, await scene.Catalog.ReadAsync($"UPDATE catalog SET janitor_host_id = (SELECT id FROM hosts WHERE name = '{node.Name}'), janitor_until = now() + interval '1 hour' RETURNING janitor_until::text")); passes < 3; passes++)
        {
            var seen = until;
            await Poll.UntilAsync($"{node.Name} looks what is due", async () => (until = await scene.Catalog.ReadAsync("SELECT janitor_until::text FROM catalog")) != seen);
        }

        Assert.Contains(doomed, await VolmanAsync(node, "trash ls"), StringComparison.Ordinal);
    }

    /// <summary>A volume that shall be purged at once is.</summary>
    public Task IsPurgedAsync(string volume) => Poll.UntilAsync($"{volume} is purged", async () => await scene.Catalog.EventsAsync(volume, "purge") == 1);

    /// <summary>The daemon ends in good order, and the new program takes its place.</summary>
    public async Task UpgradeAsync(Node node)
    {
        await node.Daemon.TerminateAsync();
        node.Daemon.Binary = DaemonBinary.Path;
        await node.Daemon.StartAsync();
        scene.Note($"{node.Name} is upgraded");
    }

    /// <summary>
    /// The same on a host that has no word from the database. What its old daemon noted of the time without it, one mount more and one less, the new one reads in the old one's
    /// ledger, acts upon, and tells when the database is back.
    /// </summary>
    public async Task UpgradeCutOffAsync(Node node, string shared)
    {
        node.Proxy.Cut();
        await Poll.UntilAsync($"{node.Name} is cut off", async () => (await node.InspectAsync(shared)).Stale is { Length: > 0 });
        var before = await scene.Catalog.EventsAsync(shared, "mount");
        await StartCountingAsync(node, shared, "late");
        await node.DockerAsync("stop counts");
        await StartCountingAsync(node, shared, "later");
        await node.DockerAsync("stop late");
        await UpgradeAsync(node);

        Assert.NotNull((await node.InspectAsync(shared)).Stale);
        await Counting.NeverNoticedAsync(node, _containers[node], FileOf(node, shared));
        Assert.Single(node.Daemon.KernelMounts);
        await StartCountingAsync(node, shared, "last");
        await node.DockerAsync("stop later");
        Assert.Equal(before, await scene.Catalog.EventsAsync(shared, "mount"));

        node.Proxy.Heal();
        await node.IsUpToDateAsync(shared);
        scene.Note($"{node.Name} is back");
        // Two mounts that the old daemon noted, and one of the new; each once.
        Assert.Equal(before + 3, await Poll.ForAsync(before + 3, () => scene.Catalog.EventsAsync(shared, "mount")));
    }

    /// <summary>On each host a volume is made, used there and on the next, and removed on the one after that.</summary>
    public async Task EveryHostWorksAsync(string what)
    {
        await Task.WhenAll(scene.Nodes.Select(async (node, i) =>
        {
            var (next, last) = (scene.Nodes[(i + 1) % scene.Nodes.Count], scene.Nodes[(i + 2) % scene.Nodes.Count]);
            var volume = await scene.CreateVolumeAsync(node);
            await node.RunAsync($"--volume {volume}:/x", $"echo {node.Name} > /x/f");
            Assert.Equal(node.Name, await next.RunAsync($"--volume {volume}:/x", "cat /x/f"));
            var name = $"holds-{volume}";
            await next.StartContainerAsync(name, $"--volume {volume}:/x");
            Assert.Contains(next.Name, await last.RefusedAsync($"volume rm {volume}"), StringComparison.Ordinal);
            await next.DockerAsync($"rm --force {name}");
            await last.DockerAsync($"volume rm {volume}");
            Assert.Contains("no such volume", await node.RefusedAsync($"volume inspect {volume}"), StringComparison.OrdinalIgnoreCase);
        }));
        scene.Note($"every host works: {what}");
    }

    /// <summary>All hosts are live, hold what they held, and their containers have written without a gap.</summary>
    public async Task NothingIsLostAsync(string shared, string alone)
    {
        const string Users = "host1=1 host2=1 host3=1";
        Assert.Equal(Users, await Poll.ForAsync(Users, () => scene.Catalog.UsersAsync(shared)));
        Assert.Equal("host3=1", await scene.Catalog.UsersAsync(alone));
        Assert.Contains("host3", await scene.One.RefusedAsync($"run --rm --volume {alone}:/x bb true"), StringComparison.Ordinal);
        foreach (var node in scene.Nodes)
        {
            Assert.StartsWith("live ", await scene.Catalog.HostAsync(node.Name), StringComparison.Ordinal);
            await Counting.NeverNoticedAsync(node, _containers[node], FileOf(node, shared));
            Assert.Equal("web", (await node.InspectAsync(shared)).Label("team"));
        }

        await Counting.NeverNoticedAsync(scene.Three, "holds", Path.Combine(scene.Cluster.DataRoot, alone, "alone"));
    }

    /// <summary>`volman host ls` shows what runs where.</summary>
    public async Task VersionsAsync(params Node[] upgraded)
    {
        var (old, now) = (await ReleaseTools.VersionAsync(earlier), await ReleaseTools.VersionAsync(DaemonBinary.Path));
        Assert.NotEqual(old, now);
        var expected = scene.Nodes.Select(node => $"{node.Name} {(upgraded.Contains(node) ? now : old)}");
        var lines = (await scene.Catalog.VolmanAsync("host ls")).Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(expected, lines.Skip(1).Select(cells => $"{cells[0]} {cells[^1]}"));
    }

    /// <summary>A command that asks the daemon of a host.</summary>
    public static async Task<string> VolmanAsync(Node node, string words) => (await TryVolmanAsync(node, words)).MustSucceed().Output;

    static Task<Command> TryVolmanAsync(Node node, string words) =>
        ReleaseTools.VolmanAsync(DaemonBinary.Path, [.. words.Split(' '), "--admin-socket", node.Daemon.AdminSocket]);

    string FileOf(Node node, string volume) => Path.Combine(scene.Cluster.DataRoot, volume, $"{node.Name}.{_containers[node]}");
}
