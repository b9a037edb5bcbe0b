using Microsoft.EntityFrameworkCore;
using VolumeManager.Linux;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Mounts;

/// <summary>What a daemon that was killed between two steps of a Mount leaves, and what others do to mounts behind our back.</summary>
public sealed class InterruptedMountTests : IAsyncLifetime
{
    TestHost _host = null!;

    public async Task InitializeAsync()
    {
        _host = await TestHost.StartNewAsync();
        _host.Settings = _host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(50), Timings = TestTimings.CurrentImpatient };
        await _host.RestartAsync();
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task A_volume_that_was_mounted_but_not_yet_known_to_hold_data_is_known_at_its_next_mount()
    {
        await _host.Engine.CreateAsync("v");
        await _host.Engine.MountAsync("v", "x");
        await _host.StopAsync();
        await using (var db = _host.OpenCatalog()) await db.Database.ExecuteSqlAsync($"UPDATE volumes SET provisioned_at = NULL");
        await _host.StartAsync();
        await _host.Engine.MountAsync("v", "y");
        await using (var db = _host.OpenCatalog()) Assert.NotNull((await db.Volumes.AsNoTracking().SingleAsync()).ProvisionedAt);
    }

    [Fact]
    public async Task A_claim_that_nothing_holds_and_that_is_not_mounted_is_dropped()
    {
        await _host.Engine.CreateAsync("v");
        await _host.Engine.MountAsync("v", "x");
        _host.UnmountAll();
        await Poll.UntilAsync("the claim is dropped", async () => await _host.CountMountRowsAsync() == 0);
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
    }

    [Fact]
    public async Task A_claim_that_a_container_holds_is_mounted_again()
    {
        await _host.Engine.CreateAsync("v");
        await _host.Engine.MountAsync("v", "x");
        using var container = await HoldingProcess.StartAsync(_host.TargetOf("v"), Path.Combine(_host.Settings.StateDirectory, "inside"));
        _host.UnmountAll();
        await Poll.UntilAsync("the volume is mounted again", () => _host.KernelMounts().Count == 1);
        Assert.Equal("x=1", await _host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task A_mount_that_was_left_without_its_flags_gets_them()
    {
        await _host.Engine.CreateAsync("ro", new { access = "read-only" });
        await _host.Engine.MountAsync("ro", "x");
        await Command.OutputOfAsync("mount", "-o", "remount,bind,rw,suid,dev", _host.TargetOf("ro"));
        await Poll.UntilAsync("ro, nosuid and nodev are set", () => OptionsOf("ro") is var o && o.Contains("ro") && o.Contains("nosuid") && o.Contains("nodev"));
    }

    [Fact]
    public async Task An_unmount_that_the_catalog_cannot_take_is_done_and_written_down_later()
    {
        await _host.Engine.CreateAsync("v");
        await _host.Engine.MountAsync("v", "x");
        await using (await _host.LockCatalogAsync())
        {
            Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
            Assert.Empty(_host.KernelMounts());
            Assert.Equal("x=1", await _host.MountRowsAsync("v"));
        }

        await Poll.UntilAsync("the release is written down", async () => await _host.CountMountRowsAsync() == 0);
    }

    [Fact]
    public async Task A_volume_keeps_the_flags_of_the_disk_that_it_lies_on()
    {
        await _host.StopAsync();
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "-o", "noexec", "none", _host.Settings.DataRoot);
        await _host.StartAsync();
        await _host.Engine.CreateAsync("v");
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Contains("noexec", OptionsOf("v"));
        await _host.Engine.UnmountAsync("v", "x");
    }

    string[] OptionsOf(string volume) => MountInfo.Read().Find(m => m.MountPoint == _host.TargetOf(volume)).Options.Split(',');
}
