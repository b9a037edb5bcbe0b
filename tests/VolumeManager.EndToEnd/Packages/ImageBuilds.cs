using System.Diagnostics;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>One engine a kind for all tests of images, in which eng/image.sh has built ours.</summary>
public sealed class ImageBuilds : IAsyncLifetime
{
    public const string Collection = "images";

    /// <summary>What it built. Compose may give the name volman to a build of its own.</summary>
    public const string Image = "volman:built";

    static readonly TimeSpan s_build = TimeSpan.FromMinutes(15);

    readonly Dictionary<EngineKind, ImageEngine> _engines = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var engine in _engines.Values)
            await engine.DisposeAsync();
    }

    internal async Task<ImageEngine> BuiltAsync(EngineKind kind, ITestOutputHelper output)
    {
        if (_engines.TryGetValue(kind, out var engine))
            return engine;
        var clock = Stopwatch.StartNew();
        engine = await ImageEngine.StartAsync(kind);
        try
        {
            output.WriteLine($"engine with its base images: {clock.Elapsed.TotalSeconds:0} s");
            clock.Restart();
            var build = await engine.OnThisMachineAsync(s_build, Path.Combine(engine.Clone.Root, "eng/image.sh"), "--progress=plain");
            output.WriteLine(build.MustSucceed().Output.Split('\n')[^1]);
            await engine.DockerAsync("tag", "volman:latest", Image);
            output.WriteLine($"build: {clock.Elapsed.TotalSeconds:0} s");
        }
        catch
        {
            await engine.DisposeAsync();
            throw;
        }
        return _engines[kind] = engine;
    }
}

[CollectionDefinition(ImageBuilds.Collection)]
public sealed class ImageBuildsDefinition : ICollectionFixture<ImageBuilds>;
