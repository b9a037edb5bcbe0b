using VolumeManager.EndToEnd.Daemons;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The packages that eng/package.sh makes of the program under test, made once for all tests that use them.</summary>
public sealed class DebianPackages : IDisposable
{
    public const string Collection = "Debian packages";

    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(25);

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("volman-packages-");
    readonly Lazy<Task<DebianBuild>> _current;
    readonly Lazy<Task<DebianBuild>> _next;
    readonly Lazy<Task<string>> _root = new(MakeRootAsync);

    public DebianPackages()
    {
        _current = new(() => BuildAsync(Repository, Path.Combine(_folder.FullName, "current"), "--program", DaemonBinary.Folder));
        _next = new(BuildNextAsync);
    }

    internal static string Repository { get; } = DaemonBinary.RepositoryRoot();

    internal Task<DebianBuild> CurrentAsync() => _current.Value;

    internal Task<DebianBuild> NextAsync() => _next.Value;

    /// <summary>A Debian 12 with systemd and an engine, kept from run to run.</summary>
    internal Task<string> RootAsync() => _root.Value;

    /// <param name="repository">A copy of the source, wherever it is.</param>
    internal static async Task<DebianBuild> BuildAsync(string repository, string output, params IEnumerable<string> options)
    {
        (await Command.RunAsync(s_patience, Path.Combine(repository, "eng/package.sh"), ["--output", output, .. options])).MustSucceed();
        return new DebianBuild(Directory.GetFiles(output, "*.deb").Single(), Directory.GetFiles(output, "*.tar.gz").Single());
    }

    Task<DebianBuild> BuildNextAsync()
    {
        var program = Path.Combine(_folder.FullName, "next-program");
        NextProgram.WriteTo(program);
        return BuildAsync(Repository, Path.Combine(_folder.FullName, "next"), "--version", NextProgram.Version, "--program", program);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    static async Task<string> MakeRootAsync() =>
        (await Command.RunAsync(s_patience, Path.Combine(Repository, "eng/debian/root.sh"))).MustSucceed().Output.Split('\n')[^1];
}

/// <param name="Package">The .deb.</param>
/// <param name="Archive">The .tar.gz for other distributions.</param>
internal sealed record DebianBuild(string Package, string Archive)
{
    /// <summary>volman_VERSION_ARCH.deb</summary>
    public string Version => Path.GetFileName(Package).Split('_')[1];
}

[CollectionDefinition(DebianPackages.Collection)]
public sealed class SharedDebianPackages : ICollectionFixture<DebianPackages>;
