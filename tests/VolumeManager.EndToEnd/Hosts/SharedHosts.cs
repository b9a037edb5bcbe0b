using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Hosts;

/// <summary>One host a kind of engine for all tests that restart nothing. Started when the first test asks for it.</summary>
public sealed class SharedHosts : IAsyncLifetime
{
    public const string Collection = "shared hosts";

    readonly Dictionary<EngineKind, Host> _hosts = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts.Values)
            await host.DisposeAsync();
    }

    internal async Task<Scene> SceneAsync(EngineKind kind, ITestOutputHelper output)
    {
        if (!_hosts.TryGetValue(kind, out var host))
        {
            _hosts[kind] = host = await Host.StartAsync(kind);
            // Activate and Capabilities come once in an engine's life; the tests' tapes begin after them.
            await using var first = new Scene(host, output);
            await first.DockerAsync($"volume create --driver volman {first.NewVolume()}");
            await first.EndsCleanAsync();
        }
        return new Scene(host, output, spoiled: async () =>
        {
            _hosts.Remove(kind);
            await host.DisposeAsync();
        });
    }
}

[CollectionDefinition(SharedHosts.Collection)]
public sealed class SharedHostsDefinition : ICollectionFixture<SharedHosts>;
