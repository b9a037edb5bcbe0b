using System.Text.Json;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;
using VolumeManager.EndToEnd.Restarts;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>A host with a catalog of its own gets the new program: nothing of what the old one kept is lost, and there is no way back on the new schema.</summary>
[Collection(ReleaseBefore.Collection)]
public sealed class UpgradeOfOneHost(ReleaseBefore release, ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task A_host_is_upgraded_under_its_containers(EngineKind engine)
    {
        var earlier = await release.ProgramAsync();
        await using var host = await Host.StartAsync(engine, recorded: false, place: new HostPlace(new DaemonSettings(Earlier: earlier), Cable: null, [Path.GetDirectoryName(earlier)!]));
        await using var scene = new Scene(host, output);
        var files = new UpgradeFiles(host);
        var used = await scene.CreateVolumeAsync("mode=0750", "uid=1000", "label.team=web");
        var alone = await scene.CreateVolumeAsync("access=single-caller", "size=1G", "on-remove=retain");
        Directory.CreateDirectory(Path.Combine(scene.Daemon.DataRoot, "found"));
        var adopted = await scene.CreateVolumeAsync("path=found");
        var trashed = await scene.CreateVolumeAsync("label.team=old", "mode=0711");
        await scene.RunAsync($"--volume {trashed}:/x", "echo kept > /x/f");
        await scene.DockerAsync($"volume rm {trashed}");
        await scene.StartContainerAsync("counts", $"--volume {used}:/x --volume {adopted}:/y", Counting.Script);
        await scene.StartContainerAsync("second", $"--volume {used}:/x");
        await scene.StartContainerAsync("holds", $"--volume {alone}:/x");
        await Counting.GoesOnAsync(scene, used);
        string[] volumes = [used, alone, adopted];
        var before = await InspectAsync(scene, volumes);
        var schema = await files.SchemaAsync();
        var mounts = scene.Daemon.KernelMounts.Order(StringComparer.Ordinal).ToArray();

        await scene.Daemon.TerminateAsync();
        var (events, rows) = (await files.EventsAsync(), await scene.Daemon.Catalog.MountsAsync());
        scene.Daemon.Binary = DaemonBinary.Path;
        await scene.TimeAsync("The new daemon starts", scene.Daemon.StartAsync);

        Assert.Equal(rows, await scene.Daemon.Catalog.MountsAsync());
        Assert.Equal(mounts, scene.Daemon.KernelMounts.Order(StringComparer.Ordinal));
        foreach (var (old, now) in before.Zip(await InspectAsync(scene, volumes)))
            KeepsAll(old, now);
        await Counting.NeverNoticedAsync(scene, "counts", used);
        // Old events are as they were, and the new ones follow.
        Assert.NotEmpty(events);
        Assert.Equal(events, (await files.EventsAsync())[..events.Length]);
        Assert.Contains("volman " + await ReleaseTools.VersionAsync(earlier), events, StringComparison.Ordinal);
        Assert.Contains("volman " + await ReleaseTools.VersionAsync(DaemonBinary.Path), (await files.EventsAsync())[events.Length..], StringComparison.Ordinal);

        if (await files.SchemaAsync() != schema)
            await NoWayBackAsync(scene, files, earlier, schema);
        await Counting.NeverNoticedAsync(scene, "counts", used);

        // What the old one mounted the new one unmounts, and what the old one removed it restores.
        Assert.Contains("in use", await scene.RefusedAsync($"volume rm {used}"), StringComparison.Ordinal);
        await scene.DockerAsync("stop second");
        Assert.Equal(1, await scene.Daemon.Catalog.MountCountAsync(used));
        await scene.DockerAsync("stop holds");
        await scene.RunAsync($"--volume {alone}:/x", "echo 1 > /x/f");
        Assert.Contains(trashed, await files.VolmanAsync("trash ls"), StringComparison.Ordinal);
        await files.VolmanAsync($"volume restore {trashed}");
        Assert.Equal("kept 711", await scene.RunAsync($"--volume {trashed}:/x", "echo $(cat /x/f) $(stat -c %a /x)"));
        Assert.Contains("\"team\":\"old\"", await scene.DockerAsync("volume inspect --format", "{{json .Status}}", trashed), StringComparison.Ordinal);
        await Counting.NeverNoticedAsync(scene, "counts", used);
        await scene.EndsCleanAsync();
    }

    /// <summary>The old program refuses the new schema, names both, and changes nothing; then the new one goes on.</summary>
    static async Task NoWayBackAsync(Scene scene, UpgradeFiles files, string earlier, string schema)
    {
        await scene.Daemon.TerminateAsync();
        var (now, newer) = (await files.StateAsync(), await files.SchemaAsync());
        scene.Daemon.Binary = earlier;
        await Assert.ThrowsAsync<InvalidOperationException>(scene.Daemon.StartAsync);
        await Poll.UntilAsync("the old program names both schemas", () => scene.Daemon.Log.Any(line =>
            line.Contains($"schema is {newer}, newer than this volman, which knows up to {schema}", StringComparison.Ordinal)));
        Assert.Equal(now, await files.StateAsync());
        scene.Daemon.Binary = DaemonBinary.Path;
        await scene.Daemon.StartAsync();
    }

    static async Task<List<JsonElement>> InspectAsync(Scene scene, IEnumerable<string> volumes)
    {
        var inspected = new List<JsonElement>();
        foreach (var volume in volumes)
            inspected.Add(JsonElement.Parse(await scene.DockerAsync($"volume inspect --format", "{{json .}}", volume)));
        return inspected;
    }

    /// <summary>All that the old program told of a volume the new one tells too; it may tell more.</summary>
    static void KeepsAll(JsonElement old, JsonElement now)
    {
        if (old.ValueKind != JsonValueKind.Object)
        {
            Assert.Equal(old.GetRawText(), now.GetRawText());
            return;
        }

        // Of a size the new one knows more: whether the kernel keeps it, and why not.
        foreach (var property in old.EnumerateObject().Where(property => property.Name != "SizeEnforced"))
        {
            Assert.True(now.TryGetProperty(property.Name, out var kept), $"{property.Name} is not told any more: {now}");
            KeepsAll(property.Value, kept);
        }
    }
}
