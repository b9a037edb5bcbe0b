using VolumeManager.EndToEnd.Engines;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Restarts;

/// <summary>An engine asks for each volume that it knows before its API answers: with a slow plugin it boots slowly.</summary>
public sealed class EngineBoot(ITestOutputHelper output)
{
    const int Volumes = 50;

    [Theory, InstalledEngine, Engine28]
    public async Task Every_known_volume_is_asked_for_once(EngineKind engine)
    {
        await using var host = await Host.StartAsync(engine);
        await using var scene = new Scene(host, output);
        await scene.TimeAsync("Engine starts with no volume", async () =>
        {
            await scene.Engine.StopAsync();
            await scene.Engine.StartAsync();
        });
        for (var i = 0; i < Volumes; i++)
            await scene.CreateVolumeAsync();
        await scene.Tape.SkipAsync();

        await scene.Engine.StopAsync();
        await scene.TimeAsync($"Engine starts with {Volumes} volumes", scene.Engine.StartAsync);

        await scene.Tape.ExpectAsync("Activate Capabilities " + string.Join(' ', Enumerable.Repeat("G", Volumes)));
        Assert.Equal(Volumes, host.Recorder!.Calls.TakeLast(Volumes).Select(call => call.Name).Distinct(StringComparer.Ordinal).Count());
        await scene.EndsCleanAsync();
    }
}
