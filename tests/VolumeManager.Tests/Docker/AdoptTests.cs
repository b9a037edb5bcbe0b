using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Docker;

/// <summary>The option <c>path</c>: a directory that was there before the volume, never outside the root and never two volumes' own.</summary>
public sealed class AdoptTests(RunningHost running) : IClassFixture<RunningHost>
{
    readonly TestHost _host = running.Host;

    [Fact]
    public async Task An_existing_directory_is_adopted_as_it_is_and_stays_when_the_volume_goes()
    {
        var directory = Make("old/data");
        await File.WriteAllTextAsync(directory + "/f", "before");
        File.SetUnixFileMode(directory, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Assert.Equal("", await _host.Engine.CreateAsync("adopted", new { path = "old/data" }));
        Assert.Equal("0:0 500", await ShellCommand.OwnerAndModeAsync(directory));

        await _host.Engine.MountAsync("adopted", "x");
        Assert.Equal("before", await File.ReadAllTextAsync(_host.TargetOf("adopted") + "/f"));
        await _host.Engine.UnmountAsync("adopted", "x");
        Assert.Equal("", await _host.Engine.RemoveAsync("adopted"));
        Assert.Equal("before", await File.ReadAllTextAsync(directory + "/f"));
        Assert.Equal("", await _host.Engine.CreateAsync("adopted-again", new { path = "old/data" }));
    }

    [Fact]
    public async Task An_adopted_directory_goes_to_the_trash_when_the_user_says_so()
    {
        var directory = Make("given-away");
        await File.WriteAllTextAsync(directory + "/f", "data");
        Assert.Equal("", await _host.Engine.CreateAsync("giver", new Dictionary<string, string> { ["path"] = "given-away", ["on-remove"] = "trash" }));
        Assert.Equal("", await _host.Engine.RemoveAsync("giver"));
        Assert.False(Directory.Exists(directory));
        var trashed = Assert.Single(Directory.GetDirectories(_host.DataOf(".trash"), "giver.*"));
        Assert.Equal("data", await File.ReadAllTextAsync(trashed + "/f"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/etc")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("../outside")]
    [InlineData("a/../../outside")]
    [InlineData("a/..")]
    [InlineData("a/./b")]
    [InlineData("a//b")]
    [InlineData("a/")]
    [InlineData(".trash")]
    [InlineData("a/.hidden")]
    public async Task A_path_that_could_lead_elsewhere_is_refused(string path)
    {
        var error = await _host.Engine.CreateAsync("refused", new { path });
        Assert.StartsWith($"option path is \"{path}\": name an existing directory relative to the root", error, StringComparison.Ordinal);
        Assert.Equal("no such volume", (await _host.Engine.GetAsync("refused")).Err);
    }

    [Fact]
    public async Task A_path_to_nothing_to_a_file_or_through_a_link_is_refused()
    {
        Make("real/below");
        await File.WriteAllTextAsync(_host.DataOf("plain"), "data");
        Directory.CreateSymbolicLink(_host.DataOf("link"), Make("real"));
        Directory.CreateSymbolicLink(_host.DataOf("outside"), "/etc");
        foreach (var path in new[] { "missing", "real/missing", "plain", "plain/below", "link", "link/below", "outside", "outside/ssl" })
        {
            var error = await _host.Engine.CreateAsync("refused", new { path });
            Assert.Contains("is not an existing directory free of symbolic links", error, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(_host.DataOf("missing")));
    }

    [Theory]
    [InlineData(255)]
    [InlineData(1025)]
    public async Task A_path_longer_than_the_file_system_allows_is_refused_in_a_sentence(int length)
    {
        // In bytes it is twice as long.
        var error = await _host.Engine.CreateAsync("refused", new { path = new string('é', length) });
        Assert.StartsWith("option path is \"é", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_volumes_never_share_a_directory_or_hold_each_others()
    {
        Make("parent/below/deep");
        Make("parent-not");
        Make("parenu");
        Assert.Equal("", await _host.Engine.CreateAsync("middle", new { path = "parent/below" }));
        foreach (var path in new[] { "parent", "parent/below", "parent/below/deep" })
        {
            var error = await _host.Engine.CreateAsync("other", new { path });
            Assert.Contains($"volume other cannot have the directory {path}, which overlaps that of another volume", error, StringComparison.Ordinal);
        }

        // As the name of a volume it would take the parent too.
        Assert.NotEqual("", await _host.Engine.CreateAsync("parent"));
        Assert.Contains("overlaps", await _host.Engine.CreateAsync("other", new { path = "kept" }), StringComparison.Ordinal);
        Assert.True(Directory.Exists(_host.DataOf("kept")));
        Assert.Equal("", await _host.Engine.CreateAsync("beside", new { path = "parent-not" }));
        Assert.Equal("", await _host.Engine.CreateAsync("beside2", new { path = "parenu" }));
        Assert.DoesNotContain("other", await _host.Engine.ListAsync());
    }

    [Theory]
    [InlineData("uid", "5")]
    [InlineData("gid", "5")]
    [InlineData("mode", "0700")]
    public async Task Owner_and_mode_do_not_go_with_path(string key, string value)
    {
        Make("owned");
        var error = await _host.Engine.CreateAsync("refused", new Dictionary<string, string> { ["path"] = "owned", [key] = value });
        Assert.StartsWith($"option {key} does not go with path", error, StringComparison.Ordinal);
        Assert.Equal("0:0 755", await ShellCommand.OwnerAndModeAsync(_host.DataOf("owned")));
    }

    [Fact]
    public async Task A_disk_mounted_below_the_root_can_be_adopted_used_and_given_back()
    {
        var disk = Make("disk");
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "tmpfs", disk);
        await File.WriteAllTextAsync(disk + "/f", "on the disk");
        Assert.Equal("", await _host.Engine.CreateAsync("on-disk", new { path = "disk" }));
        Assert.Equal("", await _host.Engine.MountAsync("on-disk", "x"));
        Assert.Equal("on the disk", await File.ReadAllTextAsync(_host.TargetOf("on-disk") + "/f"));
        Assert.Equal("", await _host.Engine.UnmountAsync("on-disk", "x"));
        Assert.Equal("", await _host.Engine.RemoveAsync("on-disk"));
        Assert.Equal("on the disk", await File.ReadAllTextAsync(disk + "/f"));
    }

    string Make(string path) => Directory.CreateDirectory(_host.DataOf(path)).FullName;

    [Fact]
    public async Task An_empty_directory_that_another_volume_adopted_is_not_touched()
    {
        Directory.CreateDirectory(_host.DataOf("shared"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Assert.Equal("", await _host.Engine.CreateAsync("first", new { path = "shared" }));
        Assert.Contains("overlaps", await _host.Engine.CreateAsync("shared", new { mode = "0777", uid = "7" }), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_host.DataOf("shared")));
        Assert.Equal("", await _host.Engine.MountAsync("first", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("first", "x"));
    }

    [Fact]
    public async Task An_empty_directory_left_by_a_Create_that_was_cut_off_gets_its_owner_and_mode()
    {
        Directory.CreateDirectory(_host.DataOf("left"), UnixFileMode.UserRead);
        Assert.Equal("", await _host.Engine.CreateAsync("left", new { mode = "0750" }));
        Assert.Equal("", await _host.Engine.MountAsync("left", "x"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute, File.GetUnixFileMode(_host.DataOf("left")));
        Assert.Equal("", await _host.Engine.UnmountAsync("left", "x"));
    }
}
