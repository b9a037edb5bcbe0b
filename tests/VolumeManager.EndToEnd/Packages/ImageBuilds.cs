using System.Diagnostics;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>One engine of each kind for all tests of images, in which eng/image.sh builds ours.</summary>
public sealed class ImageBuilds : IAsyncLifetime
{
    public const string Collection = "images";

    /// <summary>The image with the program under test. Compose may give the name volman to a build of its own.</summary>
    public const string Image = "volman:built";

    /// <summary>The image whose program the Dockerfile's own stage has compiled.</summary>
    public const string Compiled = "volman:compiled";

    static readonly TimeSpan s_build = TimeSpan.FromMinutes(15);

    readonly Dictionary<EngineKind, ImageEngine> _engines = [];
    readonly HashSet<(EngineKind, string)> _built = [];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var engine in _engines.Values)
            await engine.DisposeAsync();
    }

    /// <summary>An engine that has <see cref="Image"/>.</summary>
    internal async Task<ImageEngine> BuiltAsync(EngineKind kind, ITestOutputHelper output)
    {
        var engine = await EngineAsync(kind, output);
        await BuildAsync(engine, Image, output, "--program", DaemonBinary.Folder);
        return engine;
    }

    /// <summary>An engine that has <see cref="Compiled"/>, and that stage in its cache.</summary>
    internal async Task<ImageEngine> CompiledAsync(EngineKind kind, ITestOutputHelper output)
    {
        var engine = await EngineAsync(kind, output);
        if (!_built.Contains((kind, Compiled)))
            await engine.TakeInAsync(ImageEngine.BaseSdk);
        await BuildAsync(engine, Compiled, output);
        return engine;
    }

    async Task<ImageEngine> EngineAsync(EngineKind kind, ITestOutputHelper output)
    {
        if (_engines.TryGetValue(kind, out var engine))
            return engine;
        var clock = Stopwatch.StartNew();
        engine = await ImageEngine.StartAsync(kind);
        output.WriteLine($"engine with its base image: {clock.Elapsed.TotalSeconds:0} s");
        return _engines[kind] = engine;
    }

    async Task BuildAsync(ImageEngine engine, string tag, ITestOutputHelper output, params string[] options)
    {
        if (_built.Contains((engine.Kind, tag)))
            return;
        var clock = Stopwatch.StartNew();
        var build = await engine.OnThisMachineAsync(s_build, Path.Combine(engine.Clone.Root, "eng/image.sh"), ["--progress=plain", .. options]);
        output.WriteLine(build.MustSucceed().Output.Split('\n')[^1]);
        await engine.DockerAsync("tag", "volman:latest", tag);
        Assert.Equal(await IdAsync(engine, tag), await IdAsync(engine, $"volman:{ReleaseTools.Version}"));
        _built.Add((engine.Kind, tag));
        output.WriteLine($"build: {clock.Elapsed.TotalSeconds:0} s");
    }

    static Task<string> IdAsync(ImageEngine engine, string image) => engine.DockerAsync("image", "inspect", "--format", "{{.Id}}", image);
}

[CollectionDefinition(ImageBuilds.Collection)]
public sealed class ImageBuildsDefinition : ICollectionFixture<ImageBuilds>;
