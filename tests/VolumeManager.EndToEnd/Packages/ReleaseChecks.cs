using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>One version number, and a release that is refused when something about it is not true.</summary>
public sealed class ReleaseChecks : IDisposable
{
    readonly MachineFolder _folder = new();

    string Tree => _folder["tree"];

    static string Version => ReleaseTools.Version;

    [Fact]
    public async Task The_program_and_the_changelog_have_the_version_of_the_tree()
    {
        Assert.Equal(Version, await ReleaseTools.VersionAsync(DaemonBinary.Path));
        Assert.Equal(Version, (await Command.RunAsync(Poll.Patience, "bash", "-c", $". {ReleaseTools.Tree}/eng/common.sh && version_of_tree")).MustSucceed().Output);
        var newest = File.ReadLines(Path.Combine(ReleaseTools.Tree, "CHANGELOG.md")).First(line => line.StartsWith("## ", StringComparison.Ordinal) && line != "## Unreleased");
        Assert.Equal(Version, newest.Split(' ')[1]);
    }

    [Fact]
    public async Task A_release_is_refused_with_every_fault_that_it_has()
    {
        await CloneAsync();
        Assert.Equal($"volman {Version} can be released", (await CheckAsync()).MustSucceed().Output);

        await File.WriteAllTextAsync(Path.Combine(Tree, "CHANGELOG.md"), "# Changelog\n\n## Unreleased\n\n- something\n\n## 0.0.1\n\n- first\n");
        (await ReleaseTools.GitAsync(Tree, "tag", $"v{Version}")).MustSucceed();
        await RefusedAsync("changes that are not committed", "newest release in CHANGELOG.md is '0.0.1'", $"the tag v{Version} is taken");

        await CommitAsync("CHANGELOG.md", $"# Changelog\n\n## {Version} (unreleased)\n\n- something\n");
        (await ReleaseTools.GitAsync(Tree, "tag", "--delete", $"v{Version}")).MustSucceed();
        await RefusedAsync($"CHANGELOG.md calls {Version} unreleased");
        await CommitAsync("CHANGELOG.md", $"# Changelog\n\n## {Version} (2026-11-22)\n\n## 0.0.1\n\n- first\n");
        await RefusedAsync($"says nothing under '## {Version}'");

        await CommitAsync("CHANGELOG.md", ChangeLog);
        await CommitAsync("eng/previous-release", "# nothing\nv0.0.0\n");
        await RefusedAsync("the previous release, v0.0.0 of eng/previous-release, is not in the history");
        await CommitAsync("eng/previous-release", "HEAD\n");
        await RefusedAsync($"the version is {Version} and that of the previous release {Version}");
    }

    public void Dispose() => _folder.Dispose();

    static string ChangeLog => $"# Changelog\n\n## {Version} (2026-11-22)\n\n### Added\n- something\n\n## 0.0.1\n\n- first\n";

    /// <summary>The history here, with what is checked as it is in the tree, and a CHANGELOG as it should be.</summary>
    async Task CloneAsync()
    {
        (await ReleaseTools.GitAsync(ReleaseTools.Tree, "clone", "--quiet", "--shared", ReleaseTools.Tree, Tree)).MustSucceed();
        foreach (var file in new[] { "eng/release.sh", "eng/common.sh", "eng/previous-release", "Directory.Build.props" })
            File.Copy(Path.Combine(ReleaseTools.Tree, file), Path.Combine(Tree, file), overwrite: true);
        await CommitAsync("CHANGELOG.md", ChangeLog);
    }

    async Task CommitAsync(string file, string text)
    {
        await File.WriteAllTextAsync(Path.Combine(Tree, file), text);
        (await ReleaseTools.GitAsync(Tree, "add", "--all")).MustSucceed();
        (await ReleaseTools.GitAsync(Tree, "-c", "user.name=test", "-c", "user.email=test@volman.invalid", "commit", "--quiet", "--allow-empty", "--message", file)).MustSucceed();
    }

    Task<Command> CheckAsync() => Command.RunAsync(Poll.Patience, Path.Combine(Tree, "eng/release.sh"), "--check");

    async Task RefusedAsync(params string[] faults)
    {
        var refused = await CheckAsync();
        Assert.False(refused.Succeeded, refused.Output);
        var lines = refused.Errors.Split('\n');
        Assert.Equal(faults.Length + 1, lines.Length);
        foreach (var (fault, line) in faults.Zip(lines))
            Assert.Contains(fault, line, StringComparison.Ordinal);
        Assert.Contains($"volman {Version} cannot be released", lines[^1], StringComparison.Ordinal);
    }
}
