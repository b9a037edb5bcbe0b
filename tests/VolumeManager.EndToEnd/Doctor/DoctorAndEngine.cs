using System.Text.Json;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;
using VolumeManager.EndToEnd.Packages;

namespace VolumeManager.EndToEnd.Doctor;

/// <summary><c>volman doctor</c> beside a real engine: what its API tells is compared with the catalog.</summary>
public sealed class DoctorAndEngine(ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task Differences_between_engine_and_catalog_are_found_and_healthy_containers_are_none(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine, recorded: false);
        await using var scene = new Scene(host, output);
        var plugin = new PluginClient(scene.Daemon.Socket);
        var (used, leaked, lost) = (await scene.CreateVolumeAsync(), await scene.CreateVolumeAsync(), await scene.CreateVolumeAsync());
        await scene.StartContainerAsync("runs", $"--volume {used}:/x");
        await scene.DockerAsync($"create --name waits --volume {lost}:/x {Image.Name} true");
        await scene.DockerAsync($"cp runs:/x {host.Folder["copies"]}");
        Assert.Equal("", await DoctorAsync(scene, 0));

        // An Unmount that never came.
        Assert.Equal("", (await plugin.CallAsync("Mount", new { Name = leaked, ID = "leaked" })).Err);
        await Task.Delay(Daemon.EngineGrace);
        Assert.Equal($"claim-unused volume {leaked}", await DoctorAsync(scene, 3));
        Assert.Equal($"claim-unused volume {leaked}", await DoctorAsync(scene, 3, "--repair"));
        Assert.Equal("", await DoctorAsync(scene, 0, "--repair", "--yes"));
        Assert.Equal(1, await scene.Daemon.Catalog.MountRowsAsync());

        // The engine does not remove what a container names; an operator can.
        (await VolmanAsync(scene, "volume", "rm", lost)).MustSucceed();
        Assert.Equal($"volume-unknown volume {lost}", await DoctorAsync(scene, 3));
        (await VolmanAsync(scene, "volume", "restore", lost)).MustSucceed();
        Assert.Equal("", await DoctorAsync(scene, 0));

        // An Unmount too many, while the container runs.
        var mounts = JsonElement.Parse((await VolmanAsync(scene, "mount", "ls", "--output", "json")).MustSucceed().Output);
        Assert.Equal("", (await plugin.CallAsync("Unmount", new { Name = used, ID = Assert.Single(mounts.EnumerateArray()).GetProperty("caller_id").GetString() })).Err);
        Assert.Equal($"container-unclaimed volume {used}, use-unclaimed volume {used}", await DoctorAsync(scene, 3, "--repair"));
        await scene.DockerAsync("restart runs");
        Assert.Equal("", await DoctorAsync(scene, 0));
        await scene.EndsCleanAsync();
    }

    static Task<Command> VolmanAsync(Scene scene, params string[] words) => ReleaseTools.VolmanAsync(DaemonBinary.Path, [.. words, "--admin-socket", scene.Daemon.AdminSocket]);

    /// <summary>Runs it, and gives the codes and subjects of what it finds; notes count for nothing, but the engine must have been asked.</summary>
    static async Task<string> DoctorAsync(Scene scene, int exitCode, params string[] words)
    {
        var told = await VolmanAsync(scene, ["doctor", .. words, "--output", "json"]);
        Assert.True(told.ExitCode is 0 or 3, told.Errors);
        var findings = JsonElement.Parse(told.Output).GetProperty("findings").EnumerateArray().ToList();
        string Text(JsonElement finding, string key) => finding.GetProperty(key).GetString()!;
        Assert.DoesNotContain(findings, f => Text(f, "code") == "engine-unreachable");
        Assert.True(exitCode == told.ExitCode, told.Output);
        return string.Join(", ", findings.Where(f => Text(f, "severity") != "note").Select(f => $"{Text(f, "code")} {Text(f, "subject")}"));
    }
}
