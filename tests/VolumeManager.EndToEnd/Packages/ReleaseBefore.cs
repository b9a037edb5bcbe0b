namespace VolumeManager.EndToEnd.Packages;

/// <summary>The release before this one (eng/previous-release), built from the history when the first test asks for it and kept from run to run.</summary>
public sealed class ReleaseBefore
{
    public const string Collection = "release before";

    readonly Lazy<Task<string>> _program = new(BuildAsync);

    /// <summary>A tag or a commit.</summary>
    public static string Name { get; } = File.ReadLines(Path.Combine(ReleaseTools.Tree, "eng/previous-release")).Single(line => line is [not '#', ..]);

    /// <summary>Its `volman`, published as it was then.</summary>
    public Task<string> ProgramAsync() => _program.Value;

    static async Task<string> CommitAsync()
    {
        var found = await GitAsync("rev-parse", "--verify", "--quiet", $"{Name}^{{commit}}");
        if (found.Succeeded)
            return found.Output;
        var isShallow = (await GitAsync("rev-parse", "--is-shallow-repository")).Output == "true";
        throw new InvalidOperationException($"The release before, {Name} of eng/previous-release, is not in the history here"
            + (isShallow ? ", which was cut off: run `git fetch --unshallow --tags`." : ": run `git fetch --tags`, or fix eng/previous-release."));
    }

    static Task<Command> GitAsync(params IEnumerable<string> arguments) => ReleaseTools.GitAsync(ReleaseTools.Tree, arguments);

    static async Task<string> BuildAsync()
    {
        var script = Path.Combine(ReleaseTools.Tree, "tests/VolumeManager.EndToEnd/Packages/release-before.sh");
        return (await ReleaseTools.BuildingAsync(ReleaseTools.Tree, script, await CommitAsync())).MustSucceed().Output.Split('\n')[^1];
    }
}

[CollectionDefinition(ReleaseBefore.Collection)]
public sealed class ReleaseBeforeDefinition : ICollectionFixture<ReleaseBefore>;
