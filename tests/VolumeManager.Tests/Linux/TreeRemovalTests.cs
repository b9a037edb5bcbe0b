using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

[Trait("Catalog", "none")]
public sealed class TreeRemovalTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Everything_is_removed_and_counted()
    {
        _folder.Make("tree/a/b");
        _folder.Make("tree/c");
        foreach (var file in new[] { "tree/f", "tree/a/f", "tree/a/b/f" }) File.WriteAllText(_folder.Of(file), "x");
        Assert.Equal(7, Remove());
        Assert.False(Directory.Exists(_folder.Of("tree")));
    }

    [Theory]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(33)]
    [InlineData(200)]
    [InlineData(3000)]
    public async Task No_depth_is_too_deep(int depth)
    {
        // Deeper than PATH_MAX from 2000 on: no path names the end of it.
        _folder.Make("tree");
        await Command.OutputOfAsync("sh", "-c", "cd \"$0\" && mkdir -p $(printf 'n/%.0s' $(seq $1)) && : > n/f", _folder.Of("tree"), $"{depth}");
        Assert.Equal(depth + 2, Remove());
        Assert.False(Directory.Exists(_folder.Of("tree")));
    }

    [Fact]
    public async Task A_wide_tree_of_deep_branches_is_removed()
    {
        _folder.Make("tree");
        const string script = "cd \"$0\" && p=$(printf 'n/%.0s' $(seq 70)) && for i in $(seq 10); do mkdir -p \"$i/$p\" && : > \"$i/${p}f\"; done && seq -f 'file%g' 1000 | xargs touch";
        await Command.OutputOfAsync("sh", "-c", script, _folder.Of("tree"));
        Assert.Equal(1 + (10 * 72) + 1000, Remove());
        Assert.False(Directory.Exists(_folder.Of("tree")));
    }

    [Fact]
    public void Links_are_removed_and_what_they_name_stays()
    {
        _folder.Make("tree/inner");
        _folder.Make("outside");
        File.WriteAllText(_folder.Of("outside/precious"), "data");
        Directory.CreateSymbolicLink(_folder.Of("tree/directory"), _folder.Of("outside"));
        Directory.CreateSymbolicLink(_folder.Of("tree/inner/up"), "../..");
        File.CreateSymbolicLink(_folder.Of("tree/file"), _folder.Of("outside/precious"));
        File.CreateSymbolicLink(_folder.Of("tree/dangling"), "/nowhere");
        Assert.Equal(6, Remove());
        Assert.Equal("data", File.ReadAllText(_folder.Of("outside/precious")));
    }

    [Fact]
    public void A_link_in_place_of_the_tree_is_refused()
    {
        _folder.Make("outside");
        File.WriteAllText(_folder.Of("outside/precious"), "data");
        Directory.CreateSymbolicLink(_folder.Of("tree"), _folder.Of("outside"));
        Assert.Equal(LibC.ENOTDIR, Assert.Throws<LinuxException>(() => Remove()).Errno);
        Assert.True(File.Exists(_folder.Of("outside/precious")));
    }

    [Fact]
    public async Task Names_that_are_no_text_are_removed()
    {
        _folder.Make("tree");
        const string script = """
            cd "$0" && : > "$(printf '\377\376')" && mkdir "$(printf '\200')" && : > "$(printf '\200/\300')" && : > "$(printf 'a\nb')" || exit 1
            mkfifo fifo && : > -rf && mkdir locked && : > locked/f && chmod 000 locked
            """;
        await Command.OutputOfAsync("sh", "-c", script, _folder.Of("tree"));
        Assert.Equal(9, Remove());
        Assert.False(Directory.Exists(_folder.Of("tree")));
    }

    [Fact]
    public void A_removal_that_is_cancelled_goes_on_where_it_was_left()
    {
        for (var i = 0; i < 10; i++) _folder.Make($"tree/{i}");
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => Remove(cancellation.Token));
        Assert.True(Directory.Exists(_folder.Of("tree")));
        Assert.Equal(11, Remove());
    }

    [Fact]
    public void What_is_not_there_is_an_error_that_names_it()
    {
        var error = Assert.Throws<LinuxException>(() => Remove());
        Assert.Equal(LibC.ENOENT, error.Errno);
        Assert.Contains("tree", error.Message, StringComparison.Ordinal);
    }

    long Remove() => Remove(CancellationToken.None);

    long Remove(CancellationToken cancellation)
    {
        using var parent = LibC.Open(null, _folder.FullPath, LibC.O_RDONLY | LibC.O_DIRECTORY);
        return TreeRemoval.Remove(parent, "tree", cancellation.ThrowIfCancellationRequested);
    }
}
