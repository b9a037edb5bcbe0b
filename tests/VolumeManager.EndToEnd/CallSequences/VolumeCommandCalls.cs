using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.CallSequences;

/// <summary>What an engine asks the plugin for each `docker volume` command.</summary>
[Collection(SharedHosts.Collection)]
public sealed class VolumeCommandCalls(SharedHosts hosts, ITestOutputHelper output)
{
    [Theory, InstalledEngine, Engine28]
    public async Task A_new_volume_is_looked_for_and_then_created(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);

        await scene.DockerAsync($"volume create --driver volman {scene.NewVolume()}");
        await scene.Tape.ExpectAsync("G C");

        await scene.DockerAsync($"volume create --driver volman --opt mode=0750 --opt uid=7 {scene.NewVolume()}");
        await scene.Tape.ExpectAsync("G C(mode=0750,uid=7)");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_volume_that_the_engine_knows_is_not_created_again(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.ExpectAsync("G C");

        await scene.DockerAsync($"volume create --driver volman --opt mode=0700 {volume}");

        await scene.Tape.ExpectAsync("G");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_volume_that_only_the_plugin_knows_is_taken_over(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = scene.NewVolume();
        var plugin = new PluginClient(scene.Daemon.Socket);
        Assert.Equal("", (await plugin.CallAsync("Create", new { Name = volume })).Err);

        await scene.DockerAsync($"volume create --driver volman {volume}");

        await scene.Tape.ExpectAsync("G");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Another_driver_cannot_take_the_name(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        var error = await scene.RefusedAsync($"volume create {volume}");

        Assert.Contains("volume name must be unique", error, StringComparison.Ordinal);
        await scene.Tape.ExpectAsync("G");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Listing_is_one_call_and_inspecting_another(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        Assert.Contains(volume, await scene.DockerAsync("volume ls"), StringComparison.Ordinal);
        await scene.Tape.ExpectAsync("L");

        Assert.Equal(volume, await scene.DockerAsync("volume inspect --format {{.Name}}", volume));
        await scene.Tape.ExpectAsync("G");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task A_volume_that_nobody_has_is_asked_for_and_never_removed(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = scene.NewVolume();

        await scene.RefusedAsync($"volume inspect {volume}");
        await scene.Tape.ExpectAsync("G");

        await scene.RefusedAsync($"volume rm {volume}");
        await scene.Tape.ExpectAsync("G");

        await scene.DockerAsync($"volume rm --force {volume}");
        await scene.Tape.ExpectAsync("G");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Removing_asks_twice_first(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.DockerAsync($"volume rm {volume}");

        await scene.Tape.ExpectAsync("G G R");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task The_engine_itself_keeps_a_volume_of_a_stopped_container(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.DockerAsync($"create --volume {volume}:/x {Image.Name} true");
        await scene.Tape.SkipAsync();

        var error = await scene.RefusedAsync($"volume rm {volume}");

        Assert.Contains("volume is in use", error, StringComparison.Ordinal);
        await scene.Tape.ExpectAsync("G");
        await scene.EndsCleanAsync();
    }

    [Theory, InstalledEngine, Engine28]
    public async Task Prune_and_questions_about_the_system_leave_plugins_alone(EngineKind engine)
    {
        await using var scene = await hosts.SceneAsync(engine, output);
        var volume = await scene.CreateVolumeAsync();
        await scene.StartContainerAsync("asked", $"--volume {volume}:/x");
        await scene.Tape.SkipAsync();

        foreach (var command in new[] { "volume prune --force", "system df", "info", "inspect asked", "exec asked true", "pause asked", "unpause asked" })
            await scene.DockerAsync(command);

        await scene.Tape.ExpectAsync("");
        await scene.EndsCleanAsync();
    }
}
