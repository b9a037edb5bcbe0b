using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The release before this one, built from the history when the first test asks for it. eng/previous-release says which it is.</summary>
public sealed class ReleaseBefore : IDisposable
{
    public const string Collection = "release before";

    static readonly TimeSpan s_buildDeadline = TimeSpan.FromMinutes(5);

    // Of the `dotnet test` that runs us, and perhaps of another SDK than the old tree asks for.
    static readonly string[] s_notInherited = ["MSBuildSDKsPath", "MSBuildExtensionsPath", "MSBUILD_EXE_PATH", "MSBuildLoadMicrosoftTargetsReadOnly"];

    // No build server may outlive the test.
    static readonly string[] s_environment =
    [
        "DOTNET_CLI_USE_MSBUILD_SERVER=0", "MSBUILDDISABLENODEREUSE=1", "UseSharedCompilation=false", "DOTNET_NOLOGO=1", "DOTNET_CLI_TELEMETRY_OPTOUT=1",
    ];

    readonly MachineFolder _folder = new();
    readonly Lazy<Task<string>> _program;

    public ReleaseBefore() => _program = new(BuildAsync);

    /// <summary>A tag or a commit.</summary>
    public static string Name { get; } = File.ReadLines(Path.Combine(DaemonBinary.RepositoryRoot(), "eng/previous-release")).Single(line => line is [not '#', ..]);

    /// <summary>Its `volman`, published as it was then.</summary>
    public Task<string> ProgramAsync() => _program.Value;

    /// <summary>A file as it was then.</summary>
    public static async Task<string> ReadAsync(string path) => (await GitAsync("show", $"{await CommitAsync()}:{path}")).MustSucceed().Output;

    /// <summary>The files below a folder as they were then.</summary>
    public static async Task<string[]> FilesAsync(string folder) =>
        (await GitAsync("ls-tree", "-r", "--name-only", await CommitAsync(), folder)).MustSucceed().Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public void Dispose() => _folder.Dispose();

    static async Task<string> CommitAsync()
    {
        var found = await GitAsync("rev-parse", "--verify", "--quiet", $"{Name}^{{commit}}");
        if (found.Succeeded)
            return found.Output;
        var isShallow = (await GitAsync("rev-parse", "--is-shallow-repository")).Output == "true";
        throw new InvalidOperationException($"The release before, {Name} of eng/previous-release, is not in the history here"
            + (isShallow ? ", which was cut off: run `git fetch --unshallow --tags`." : ": run `git fetch --tags`, or mend eng/previous-release."));
    }

    static Task<Command> GitAsync(params IEnumerable<string> arguments) => Command.RunAsync(Poll.Patience, "git", ["-C", DaemonBinary.RepositoryRoot(), .. arguments]);

    async Task<string> BuildAsync()
    {
        var tree = Directory.CreateDirectory(_folder["tree"]).FullName;
        var archive = _folder["tree.tar"];
        (await GitAsync("archive", "--format=tar", "--output", archive, await CommitAsync())).MustSucceed();
        (await Command.RunAsync(Poll.Patience, "tar", "--extract", "--file", archive, "--directory", tree)).MustSucceed();
        var output = _folder["volman"];
        (await Command.RunAsync(s_buildDeadline, "env",
            ["--chdir", tree, .. s_notInherited.SelectMany(name => new[] { "--unset", name }), .. s_environment,
                Path.Combine(DaemonBinary.DotnetRoot, "dotnet"), "publish", "src/VolumeManager", "--configuration", "Release", "--output", output])).MustSucceed();
        Directory.Delete(tree, recursive: true);
        File.Delete(archive);
        return Path.Combine(output, "volman");
    }
}

[CollectionDefinition(ReleaseBefore.Collection)]
public sealed class ReleaseBeforeDefinition : ICollectionFixture<ReleaseBefore>;
