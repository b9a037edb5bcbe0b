using VolumeManager.Linux;

namespace VolumeManager.Tests.Linux;

[Trait("Catalog", "none")]
public sealed class MounterTests : IDisposable
{
    readonly ScratchFolder _folder = new();
    readonly Mounter _mounter = new(new SyscallLane("test", 2));

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task The_kernel_tells_what_is_a_mount_point()
    {
        var source = _folder.Make("source");
        var target = _folder.Make("target");
        File.WriteAllText(_folder.Of("file"), "");
        Directory.CreateSymbolicLink(_folder.Of("link"), target);
        Assert.False(Mounter.IsMounted(target));
        await ShellCommand.BindAsync(source, target);
        Assert.True(Mounter.IsMounted(target));
        Assert.False(Mounter.IsMounted(source));
        Assert.False(Mounter.IsMounted(_folder.Of("link")));
        Assert.False(Mounter.IsMounted(_folder.Of("file")));
        Assert.False(Mounter.IsMounted(_folder.Of("missing")));
        Assert.False(Mounter.IsMounted(target + "/below"));
        Assert.True(Mounter.IsMounted("/proc"));
        await Command.OutputOfAsync("umount", target);
        Assert.False(Mounter.IsMounted(target));
    }

    [Fact]
    public async Task A_bind_makes_its_target_and_disarms_programs_and_devices()
    {
        await BindAsync("source", "deep/target", readOnly: false);
        var mount = Assert.Single(MountInfo.Read(), m => m.MountPoint == _folder.Of("deep/target"));
        Assert.Contains("nosuid", mount.Options.Split(','));
        Assert.Contains("nodev", mount.Options.Split(','));
        Assert.Contains("rw", mount.Options.Split(','));
    }

    [Fact]
    public async Task A_read_only_bind_leaves_its_source_writable()
    {
        await BindAsync("source", "target", readOnly: true);
        Assert.Throws<IOException>(() => File.WriteAllText(_folder.Of("target/f"), "x"));
        File.WriteAllText(_folder.Of("source/f"), "x");
        Assert.Equal("x", File.ReadAllText(_folder.Of("target/f")));
    }

    [Fact]
    public async Task Stacked_mounts_are_all_taken_down()
    {
        for (var i = 0; i < 3; i++) await BindAsync("source", "target", readOnly: false);
        Assert.True(await _mounter.UnmountAsync(_folder.Of("target")));
        Assert.False(Mounter.IsMounted(_folder.Of("target")));
        Assert.False(Directory.Exists(_folder.Of("target")));
    }

    [Fact]
    public async Task Unmounting_what_is_not_mounted_is_success_and_deletes_no_data()
    {
        File.WriteAllText(Path.Combine(_folder.Make("full"), "f"), "data");
        Assert.True(await _mounter.UnmountAsync(_folder.Of("full")));
        Assert.True(await _mounter.UnmountAsync(_folder.Of("missing")));
        Assert.Equal("data", File.ReadAllText(_folder.Of("full/f")));
    }

    [Fact]
    public async Task A_busy_mount_stays()
    {
        await BindAsync("source", "target", readOnly: false);
        using (File.Create(_folder.Of("target/open")))
        {
            Assert.False(await _mounter.UnmountAsync(_folder.Of("target")));
            Assert.True(Mounter.IsMounted(_folder.Of("target")));
        }

        Assert.True(await _mounter.UnmountAsync(_folder.Of("target")));
    }

    [Fact]
    public async Task A_target_that_is_a_link_is_not_followed_when_it_is_unmounted()
    {
        await BindAsync("source", "target", readOnly: false);
        Directory.CreateSymbolicLink(_folder.Of("link"), _folder.Of("target"));
        Assert.True(await _mounter.UnmountAsync(_folder.Of("link")));
        Assert.True(Mounter.IsMounted(_folder.Of("target")));
    }

    [Fact]
    public async Task What_was_opened_is_mounted_whatever_its_path_became()
    {
        _folder.Make("source/of-the-volume");
        using var opened = LibC.Open(null, _folder.Of("source"), LibC.O_PATH | LibC.O_DIRECTORY);
        Directory.Move(_folder.Of("source"), _folder.Of("renamed"));
        _folder.Make("source/of-an-intruder");
        await _mounter.BindAsync(opened, _folder.Of("target"), readOnly: false, CancellationToken.None);
        Assert.True(Directory.Exists(_folder.Of("target/of-the-volume")));
    }

    async Task BindAsync(string source, string target, bool readOnly)
    {
        using var opened = LibC.Open(null, _folder.Make(source), LibC.O_PATH | LibC.O_DIRECTORY);
        await _mounter.BindAsync(opened, _folder.Of(target), readOnly, CancellationToken.None);
    }
}
