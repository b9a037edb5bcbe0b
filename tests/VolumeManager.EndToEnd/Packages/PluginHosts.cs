using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>One host with the plugin a kind of engine, for all tests of the plugin. Started when the first test asks for it.</summary>
public sealed class PluginHosts : IAsyncLifetime
{
    public const string Collection = "plugin hosts";

    readonly Dictionary<EngineKind, PluginHost> _hosts = [];
    PluginImage? _image;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var host in _hosts.Values)
            await host.DisposeAsync();
        _image?.Dispose();
    }

    internal async Task<PluginImage> ImageAsync() => _image ??= await PluginImage.MakeAsync();

    /// <summary>The plugin is there, has its settings, and is enabled.</summary>
    internal async Task<PluginScene> SceneAsync(EngineKind kind, ITestOutputHelper output)
    {
        var image = await ImageAsync();
        if (!_hosts.TryGetValue(kind, out var host))
        {
            _hosts[kind] = host = await PluginHost.StartAsync(kind);
            await host.ImportAsync(image);
        }
        var scene = new PluginScene(host, output, spoiled: async () =>
        {
            _hosts.Remove(kind);
            await host.DisposeAsync();
        });
        try
        {
            await scene.BeginAsync();
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }
}

[CollectionDefinition(PluginHosts.Collection)]
public sealed class PluginHostsDefinition : ICollectionFixture<PluginHosts>;
