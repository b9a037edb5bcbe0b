using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Mounts;

/// <summary>protocol.md 8, 35 to 51: reference counts against real kernel mounts.</summary>
public sealed class MountTests : IAsyncLifetime
{
    TestHost _host = null!;

    public async Task InitializeAsync()
    {
        _host = await TestHost.StartNewAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task A_mount_is_in_the_kernel_and_an_unmount_takes_it_away()
    {
        var reply = await _host.Engine.CallAsync("/VolumeDriver.Mount", """{"Name":"v","ID":"x"}""");
        Assert.Equal(_host.TargetOf("v"), reply.Json.GetProperty("Mountpoint").GetString());
        await File.WriteAllTextAsync(_host.TargetOf("v") + "/f", "data");
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("v") + "/f"));
        Assert.Equal(["v"], _host.KernelMounts());
        Assert.Equal(_host.TargetOf("v"), await _host.Engine.PathAsync("v"));

        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        Assert.Empty(_host.KernelMounts());
        Assert.False(Directory.Exists(_host.TargetOf("v")));
        Assert.Equal("", await _host.Engine.PathAsync("v"));
        Assert.True(File.Exists(_host.DataOf("v") + "/f"));
    }

    [Fact]
    public async Task Two_callers_share_one_kernel_mount()
    {
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.MountAsync("v", "y");
        Assert.Equal(["v"], _host.KernelMounts());
        await _host.Engine.UnmountAsync("v", "x");
        Assert.Equal(["v"], _host.KernelMounts());
        await _host.Engine.UnmountAsync("v", "y");
        Assert.Empty(_host.KernelMounts());
    }

    [Fact]
    public async Task One_caller_is_counted()
    {
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.MountAsync("v", "x");
        Assert.Equal("x=2", await _host.MountRowsAsync("v"));
        await _host.Engine.UnmountAsync("v", "x");
        Assert.Equal(["v"], _host.KernelMounts());
        await _host.Engine.UnmountAsync("v", "x");
        Assert.Empty(_host.KernelMounts());
        Assert.Equal("", await _host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task An_unmount_of_what_is_not_mounted_touches_nobody()
    {
        await _host.Engine.MountAsync("v", "x");
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "unknown"));
        Assert.Equal("", await _host.Engine.UnmountAsync("nobody", "x"));
        Assert.Equal("x=1", await _host.MountRowsAsync("v"));
        await _host.Engine.UnmountAsync("v", "x");
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
    }

    [Fact]
    public async Task Engines_without_ids_are_counted_too()
    {
        await _host.Engine.MountAsync("v", null);
        await _host.Engine.MountAsync("v", null);
        await _host.Engine.UnmountAsync("v", null);
        Assert.Equal(["v"], _host.KernelMounts());
        await _host.Engine.UnmountAsync("v", null);
        Assert.Empty(_host.KernelMounts());
    }

    [Fact]
    public async Task An_unmount_without_an_id_releases_a_mount_with_one()
    {
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.UnmountAsync("v", "");
        Assert.Empty(_host.KernelMounts());
        Assert.Equal("", await _host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task An_unknown_volume_is_not_mounted()
    {
        Assert.Equal("no such volume: nobody", await _host.Engine.MountAsync("nobody", "x"));
        Assert.Empty(_host.KernelMounts());
        Assert.Equal(0, await _host.CountMountRowsAsync());
    }

    [Fact]
    public async Task A_mount_that_fails_leaves_no_claim_and_no_directory()
    {
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.UnmountAsync("v", "x");
        Directory.Delete(_host.DataOf("v"));
        var error = await _host.Engine.MountAsync("v", "x");
        Assert.Contains($"the directory {_host.DataOf("v")} of volume v is missing", error, StringComparison.Ordinal);
        Assert.Equal(0, await _host.CountMountRowsAsync());
        Assert.False(Directory.Exists(_host.TargetOf("v")));
        await Poll.UntilAsync("the failure is in the history", async () => (await _host.EventsAsync("v")).Contains("mount!"));
    }

    [Fact]
    public async Task Before_its_first_mount_a_lost_directory_is_made_again()
    {
        Directory.Delete(_host.DataOf("v"));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.True(Directory.Exists(_host.DataOf("v")));
    }

    [Fact]
    public async Task A_restart_keeps_mounts_and_counts()
    {
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.MountAsync("v", "y");
        await _host.RestartAsync();
        Assert.Equal(["v"], _host.KernelMounts());
        Assert.Equal("x=2 y=1", await _host.MountRowsAsync("v"));
        await _host.Engine.UnmountAsync("v", "x");
        await _host.Engine.UnmountAsync("v", "x");
        await _host.Engine.UnmountAsync("v", "y");
        Assert.Empty(_host.KernelMounts());
    }

    [Fact]
    public async Task After_a_reboot_the_same_id_is_counted_afresh()
    {
        await _host.Engine.MountAsync("v", "x");
        await _host.RebootAsync();
        Assert.Equal(0, await _host.CountMountRowsAsync());
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.UnmountAsync("v", "x");
        Assert.Empty(_host.KernelMounts());
        Assert.Equal(0, await _host.CountMountRowsAsync());
    }

    [Fact]
    public async Task After_the_engine_died_the_same_id_is_counted_afresh()
    {
        await _host.Engine.ActivateAsync();
        await _host.Engine.MountAsync("v", "x");
        // No grace has passed for the reconciler here: what is tested is the claim's own look.
        await _host.StopAsync();
        _host.Settings = _host.Settings with { EngineGrace = TimeSpan.FromHours(1) };
        await _host.StartAsync();
        await _host.Engine.ActivateAsync();
        await _host.Engine.MountAsync("v", "x");
        Assert.Equal("x=1", await _host.MountRowsAsync("v"));
        await _host.Engine.UnmountAsync("v", "x");
        Assert.Empty(_host.KernelMounts());
    }

    [Fact]
    public async Task What_a_container_still_holds_survives_the_engines_restart()
    {
        await _host.Engine.ActivateAsync();
        await _host.Engine.MountAsync("v", "x");
        using var container = await HoldingProcess.StartAsync(_host.TargetOf("v"), Path.Combine(_host.Settings.StateDirectory, "inside"));
        await _host.Engine.ActivateAsync();
        await Task.Delay(500);
        Assert.Equal("x=1", await _host.MountRowsAsync("v"));
        // docker cp on the running container, then its stop.
        await _host.Engine.MountAsync("v", "x");
        Assert.Equal("x=2", await _host.MountRowsAsync("v"));
        await _host.Engine.UnmountAsync("v", "x");
        Assert.Equal(["v"], _host.KernelMounts());
        await _host.Engine.UnmountAsync("v", "x");
        Assert.Empty(_host.KernelMounts());
        Assert.Contains("a container or another mount still has", await _host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_nothing_holds_after_the_engines_restart_is_reclaimed()
    {
        await _host.Engine.ActivateAsync();
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.ActivateAsync();
        await Poll.UntilAsync("the dead engine's mount is dropped", async () => await _host.CountMountRowsAsync() == 0);
        Assert.Empty(_host.KernelMounts());
        Assert.Contains("reclaim", await _host.EventsAsync("v"));
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
    }

    [Fact]
    public async Task A_busy_mount_is_released_and_unmounted_later()
    {
        _host.Settings = _host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(50) };
        await _host.RestartAsync();
        await _host.Engine.MountAsync("v", "x");
        using (File.Create(_host.TargetOf("v") + "/open"))
        {
            Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
            Assert.Equal(0, await _host.CountMountRowsAsync());
            Assert.Equal(["v"], _host.KernelMounts());
            Assert.Contains("a process works in", await _host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
        }

        await Poll.UntilAsync("the reconciler unmounts", () => _host.KernelMounts().Count == 0);
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
    }

    /// <summary>What a volume leaves that was moved by another host while a process of this one worked in it.</summary>
    [Fact]
    public async Task No_caller_gets_another_directory_that_is_mounted_in_the_volumes_place()
    {
        using var folder = new ScratchFolder();
        Directory.CreateDirectory(_host.TargetOf("v"));
        await ShellCommand.BindAsync(folder.Make("other"), _host.TargetOf("v"));
        using (File.Create(_host.TargetOf("v") + "/open"))
        {
            Assert.Equal(
                $"volume v cannot be mounted: a process works in {_host.TargetOf("v")}, where another directory than the volume's is mounted: end it, then try again", await _host.Engine.MountAsync("v", "x"));
            Assert.Equal(0, await _host.CountMountRowsAsync());
        }

        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Empty(Directory.GetFileSystemEntries(_host.TargetOf("v")));
        await File.WriteAllTextAsync(_host.TargetOf("v") + "/f", "data");
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("v") + "/f"));
        Assert.True(File.Exists(folder.Of("other") + "/open"));
    }

    [Fact]
    public async Task A_hundred_callers_at_once_leave_one_mount_and_then_none()
    {
        var ids = Enumerable.Range(0, 100).Select(i => $"id{i}").ToList();
        Assert.All(await Task.WhenAll(ids.Select(id => _host.Engine.MountAsync("v", id))), error => Assert.Equal("", error));
        Assert.Equal(["v"], _host.KernelMounts());
        Assert.Equal(100, await _host.CountMountRowsAsync());
        Assert.All(await Task.WhenAll(ids.Select(id => _host.Engine.UnmountAsync("v", id))), error => Assert.Equal("", error));
        Assert.Empty(_host.KernelMounts());
        Assert.Equal(0, await _host.CountMountRowsAsync());
    }

    [Fact]
    public async Task A_read_only_volume_refuses_writes()
    {
        await _host.Engine.CreateAsync("ro", new { access = "read-only" });
        await _host.Engine.MountAsync("ro", "x");
        var denied = Assert.Throws<IOException>(() => File.WriteAllText(_host.TargetOf("ro") + "/f", "x"));
        Assert.Contains("Read-only file system", denied.Message, StringComparison.Ordinal);
        await _host.Engine.UnmountAsync("ro", "x");
    }

    [Fact]
    public async Task A_single_caller_volume_refuses_a_second_caller_and_names_the_first()
    {
        await _host.Engine.CreateAsync("one", new Dictionary<string, string> { ["access"] = "single-caller" });
        Assert.Equal("", await _host.Engine.MountAsync("one", "x"));
        Assert.Equal("", await _host.Engine.MountAsync("one", "x"));
        Assert.Contains("has access single-caller and is mounted by host test-host (1 caller", await _host.Engine.MountAsync("one", "y"), StringComparison.Ordinal);
        Assert.Equal("x=2", await _host.MountRowsAsync("one"));
        await _host.Engine.UnmountAsync("one", "x");
        await _host.Engine.UnmountAsync("one", "x");
        Assert.Equal("", await _host.Engine.MountAsync("one", "y"));
        await _host.Engine.UnmountAsync("one", "y");
    }

    [Fact]
    public async Task A_mount_that_somebody_took_away_is_made_again()
    {
        await _host.Engine.MountAsync("v", "x");
        _host.UnmountAll();
        Assert.Equal("", await _host.Engine.MountAsync("v", "y"));
        Assert.Equal(["v"], _host.KernelMounts());
    }

    [Fact]
    public async Task A_kernel_mount_that_nobody_claimed_is_taken_down_at_start()
    {
        await _host.StopAsync();
        Directory.CreateDirectory(_host.TargetOf("v"));
        await ShellCommand.BindAsync(_host.DataOf("v"), _host.TargetOf("v"));
        Assert.Equal(["v"], _host.KernelMounts());
        await _host.StartAsync();
        await Poll.UntilAsync("the leftover is unmounted", () => _host.KernelMounts().Count == 0);
    }
}
