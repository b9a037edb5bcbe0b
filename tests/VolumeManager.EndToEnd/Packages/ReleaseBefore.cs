using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The release before this one, built from the history when the first test asks for it. eng/previous-release says which it is.</summary>
public sealed class ReleaseBefore : IDisposable
{
    public const string Collection = "release before";

    readonly MachineFolder _folder = new();
    readonly Lazy<Task<string>> _program;

    public ReleaseBefore() => _program = new(BuildAsync);

    /// <summary>A tag or a commit.</summary>
    public static string Name { get; } = File.ReadLines(Path.Combine(ReleaseTools.Tree, "eng/previous-release")).Single(line => line is [not '#', ..]);

    /// <summary>Its `volman`, published as it was then.</summary>
    public Task<string> ProgramAsync() => _program.Value;

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

    static Task<Command> GitAsync(params IEnumerable<string> arguments) => ReleaseTools.GitAsync(ReleaseTools.Tree, arguments);

    async Task<string> BuildAsync()
    {
        var tree = Directory.CreateDirectory(_folder["tree"]).FullName;
        var archive = _folder["tree.tar"];
        (await GitAsync("archive", "--format=tar", "--output", archive, await CommitAsync())).MustSucceed();
        (await Command.RunAsync(Poll.Patience, "tar", "--extract", "--file", archive, "--directory", tree)).MustSucceed();
        var output = _folder["volman"];
        (await ReleaseTools.DotnetAsync(tree, "publish", "src/VolumeManager", "--configuration", "Release", "--output", output)).MustSucceed();
        Directory.Delete(tree, recursive: true);
        File.Delete(archive);
        return Path.Combine(output, "volman");
    }
}

[CollectionDefinition(ReleaseBefore.Collection)]
public sealed class ReleaseBeforeDefinition : ICollectionFixture<ReleaseBefore>;
