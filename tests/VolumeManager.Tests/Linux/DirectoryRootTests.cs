using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

[Trait("Catalog", "none")]
public sealed class DirectoryRootTests : IDisposable
{
    readonly ScratchFolder _folder = new();
    readonly DirectoryRoot _root;

    public DirectoryRootTests()
    {
        _root = new DirectoryRoot(_folder.Of("root"));
        _folder.Make("outside/below");
        _folder.Make("root/real/below");
        File.WriteAllText(_folder.Of("root/file"), "data");
        Directory.CreateSymbolicLink(_folder.Of("root/link"), _folder.Of("outside"));
        Directory.CreateSymbolicLink(_folder.Of("root/real/link"), "below");
        Directory.CreateSymbolicLink(_folder.Of("root/up"), "..");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_missing_root_is_made_for_root_alone_or_so_that_others_may_pass_and_not_look()
    {
        _ = new DirectoryRoot(_folder.Of("new/deep"));
        Assert.Equal("0:0 700", await ShellCommand.OwnerAndModeAsync(_folder.Of("new/deep")));
        _ = new DirectoryRoot(_folder.Of("other"), DirectoryRoot.Passable);
        Assert.Equal("0:0 711", await ShellCommand.OwnerAndModeAsync(_folder.Of("other")));
    }

    [Theory]
    [InlineData("0711", false, "0:0 700")]
    [InlineData("0700", false, "0:0 700")]
    [InlineData("0744", false, "0:0 744")]
    [InlineData("0755", true, "0:0 755")]
    [InlineData("0710", true, "0:0 710")]
    [InlineData("1777", true, "0:0 1777")]
    public async Task A_root_that_earlier_versions_have_opened_is_closed_and_an_operators_own_is_told_of(string mode, bool isOpen, string after)
    {
        File.SetUnixFileMode(_folder.Of("root"), (UnixFileMode)Convert.ToInt32(mode, 8));
        Assert.Equal(isOpen, new DirectoryRoot(_folder.Of("root")).IsOpenAfterClosing());
        Assert.Equal(after, await ShellCommand.OwnerAndModeAsync(_folder.Of("root")));
    }

    [Fact]
    public void The_root_itself_may_be_a_link_and_tells_where_it_leads()
    {
        Directory.CreateSymbolicLink(_folder.Of("to-root"), _folder.Of("root"));
        var linked = new DirectoryRoot(_folder.Of("to-root"));
        Assert.Equal(_folder.Of("root"), linked.Path);
        Assert.True(linked.Exists("real/below"));
    }

    [Theory]
    [InlineData("link", LibC.ENOTDIR)]
    [InlineData("link/below", LibC.ENOTDIR)]
    [InlineData("real/link", LibC.ENOTDIR)]
    [InlineData("up", LibC.ENOTDIR)]
    [InlineData("up/outside", LibC.ENOTDIR)]
    [InlineData("file", LibC.ENOTDIR)]
    [InlineData("file/below", LibC.ENOTDIR)]
    [InlineData("missing", LibC.ENOENT)]
    [InlineData("real/missing/below", LibC.ENOENT)]
    public void Nothing_is_opened_through_a_link_or_a_file(string path, int errno) =>
        Assert.Equal(errno, Assert.Throws<LinuxException>(() => _root.Open(path)).Errno);

    /// <summary>Such a path comes from a row that somebody else wrote: all that takes one refuses it.</summary>
    [Theory]
    [InlineData("..")]
    [InlineData("../outside")]
    [InlineData("../../victim")]
    [InlineData("real/../../outside")]
    [InlineData("real/..")]
    [InlineData(".")]
    [InlineData("real/.")]
    [InlineData("/")]
    [InlineData("/real")]
    [InlineData("real/")]
    [InlineData("real//below")]
    [InlineData("real\0")]
    public void No_path_leads_out_of_the_root(string path)
    {
        var before = Tree();
        _folder.Make("root/mine");
        Action[] uses =
        [
            () => _root.Open(path), () => _root.List(path), () => _root.Sync(path), () => _root.Exists(path), () => _root.IsEmpty(path), () => _root.SetOwner(path, 0, 5, 5),
            () => _root.IsSame(path, _folder.Of("outside")), () => _root.TryMake(path, 0, 5, 5), () => _root.RemoveIfEmpty(path), () => _root.TryRename(path, "mine/moved"),
            () => _root.TryRename("mine", path), () => _root.TryRename("mine", path, overEmpty: true),
        ];
        Assert.All(uses, use => Assert.Equal(LibC.EXDEV, Assert.Throws<LinuxException>(use).Errno));
        Directory.Delete(_folder.Of("root/mine"));
        Assert.Equal(before, Tree());
    }

    [Fact]
    public void The_root_itself_is_neither_made_nor_renamed_nor_removed()
    {
        var before = Tree();
        Action[] uses = [() => _root.TryMake("", 0, 5, 5), () => _root.RemoveIfEmpty(""), () => _root.TryRename("", "moved"), () => _root.TryRename("real", "")];
        Assert.All(uses, use => Assert.Equal(LibC.EXDEV, Assert.Throws<LinuxException>(use).Errno));
        Assert.Equal(before, Tree());
    }

    [Theory]
    [InlineData("")]
    [InlineData("real")]
    [InlineData("real/below")]
    public void Directories_are_opened_by_their_way(string path)
    {
        using var opened = _root.Open(path);
        Assert.Equal(
            Path.TrimEndingDirectorySeparator(_folder.Of("root/" + path)),
            new DirectoryInfo($"/proc/self/fd/{(int)opened.DangerousGetHandle()}").LinkTarget);
    }

    [Fact]
    public void A_way_that_ends_early_leaves_nothing_open()
    {
        // What stays open keeps its disk from being unmounted.
        foreach (var path in new[] { "missing", "real/missing", "link/below", "file/below", "real/link" }) Assert.Throws<LinuxException>(() => _root.Open(path));
        _root.Exists("missing");
        _root.IsEmpty("real");
        _root.TryRename("missing/below", "real/moved");
        var open = Directory.GetFileSystemEntries("/proc/self/fd").Select(f => new FileInfo(f).LinkTarget ?? "").Where(target => target.StartsWith(_folder.FullPath, StringComparison.Ordinal));
        Assert.Empty(open);
    }

    [Fact]
    public async Task A_directory_is_made_with_owner_and_mode_whatever_the_umask()
    {
        Assert.True(_root.TryMake("new", 0x3FF /* 01777 */, 12, 34));
        Assert.Equal("12:34 1777", await ShellCommand.OwnerAndModeAsync(_folder.Of("root/new")));
        Assert.False(_root.TryMake("new", 0x1C0 /* 0700 */, 0, 0));
        Assert.Equal("12:34 1777", await ShellCommand.OwnerAndModeAsync(_folder.Of("root/new")));
    }

    [Theory]
    [InlineData("file")]
    [InlineData("link")]
    [InlineData("real")]
    public void What_is_there_is_not_made_over(string name)
    {
        Assert.False(_root.TryMake(name, 0x1FF, 5, 5));
        Assert.True(Path.Exists(_folder.Of("root/" + name)));
    }

    [Fact]
    public void Owner_and_mode_are_not_set_through_a_link()
    {
        var before = File.GetUnixFileMode(_folder.Of("outside"));
        Assert.Throws<LinuxException>(() => _root.SetOwner("link", 0, 5, 5));
        Assert.Equal(before, File.GetUnixFileMode(_folder.Of("outside")));
    }

    [Fact]
    public void Nothing_is_made_or_removed_through_a_link()
    {
        Assert.True(_root.TryMake("real/new", 0x1C0, 0, 0));
        _root.RemoveIfEmpty("real/new");
        Assert.False(_root.Exists("real/new"));
        Assert.Throws<LinuxException>(() => _root.TryMake("link/new", 0x1C0, 0, 0));
        _root.RemoveIfEmpty("link/below");
        Assert.Equal(["below"], Directory.GetFileSystemEntries(_folder.Of("outside")).Select(Path.GetFileName));
    }

    [Fact]
    public void Emptiness_is_told_and_only_what_is_empty_is_removed()
    {
        Assert.True(_root.IsEmpty("real/below"));
        Assert.False(_root.IsEmpty("real"));
        _root.RemoveIfEmpty("real");
        _root.RemoveIfEmpty("file");
        _root.RemoveIfEmpty("link");
        _root.RemoveIfEmpty("missing");
        Assert.True(Directory.Exists(_folder.Of("root/real/below")) && File.Exists(_folder.Of("root/file")) && Path.Exists(_folder.Of("root/link")));
        _folder.Make("root/empty");
        _root.RemoveIfEmpty("empty");
        Assert.False(_root.Exists("empty"));
    }

    [Fact]
    public void A_rename_moves_what_is_there_and_overwrites_nothing()
    {
        _folder.Make("root/trash");
        Assert.True(_root.TryRename("real/below", "trash/moved"));
        Assert.True(_root.Exists("trash/moved"));
        Assert.False(_root.TryRename("real/below", "trash/again"));
        Assert.False(_root.TryRename("missing/below", "trash/again"));
        _folder.Make("root/second");
        Assert.Equal(LibC.EEXIST, Assert.Throws<LinuxException>(() => _root.TryRename("second", "trash/moved")).Errno);
        Assert.True(_root.Exists("second"));
    }

    [Fact]
    public void A_rename_never_leads_outside()
    {
        Assert.Throws<LinuxException>(() => _root.TryRename("real", "link/stolen"));
        Assert.Throws<LinuxException>(() => _root.TryRename("link/below", "brought-in"));
        Assert.True(Directory.Exists(_folder.Of("outside/below")));
        Assert.Equal(["below"], Directory.GetFileSystemEntries(_folder.Of("outside")).Select(Path.GetFileName));
    }

    [Fact]
    public void A_disk_that_is_mounted_on_the_root_later_is_used_from_then_on()
    {
        LibC.Check(LibC.Mount("tmpfs", _folder.Of("root"), "tmpfs", 0, null), "mount", "root");
        Assert.False(_root.Exists("real"));
        Assert.True(_root.TryMake("on-the-disk", 0x1ED, 0, 0));
        LibC.Check(LibC.Umount2(_folder.Of("root"), 2 /* MNT_DETACH */), "umount", "root");
        Assert.True(_root.Exists("real"));
        Assert.False(_root.Exists("on-the-disk"));
    }

    /// <summary>Everything in the folder around the root but links, with its mode.</summary>
    string[] Tree() =>
    [
        .. Directory.EnumerateFileSystemEntries(_folder.FullPath, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
            .Select(entry => $"{entry} {File.GetUnixFileMode(entry)}").Order(StringComparer.Ordinal),
    ];
}
