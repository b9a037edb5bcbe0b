using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>The disk of the data root is not mounted: its mount point is a directory as good as any other, but not the one that the volumes are in.</summary>
public sealed class MissingDiskTests : IAsyncLifetime, IAsyncDisposable
{
    readonly TestHost _host = new();

    async Task UseDiskAsync()
    {
        Directory.CreateDirectory(_host.Settings.DataRoot);
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "none", _host.Settings.DataRoot);
        await _host.StartAsync();
    }

    /// <summary>Hides the disk below an empty one, as nothing else may be unmounted that is in use.</summary>
    Task<string> LoseDiskAsync() => Command.OutputOfAsync("mount", "-t", "tmpfs", "none", _host.Settings.DataRoot);

    Task<string> FindDiskAsync() => Command.OutputOfAsync("umount", _host.Settings.DataRoot);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_is_made_mounted_or_removed_on_the_empty_mount_point(bool restart)
    {
        await UseDiskAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        if (restart) await _host.StopAsync();
        await LoseDiskAsync();
        if (restart) await _host.StartAsync();
        Assert.Matches("^volume v cannot be reached: the data root .* is not there, mount its disk$", await _host.Engine.MountAsync("v", "x"));
        Assert.Matches("mount its disk$", await _host.Engine.CreateAsync("new"));
        Assert.Matches("mount its disk$", await _host.Engine.RemoveAsync("v"));
        Assert.Empty(Directory.GetFileSystemEntries(_host.Settings.DataRoot));
        Assert.Equal(["v"], await _host.Engine.ListAsync());

        await FindDiskAsync();
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
    }

    [Fact]
    public async Task What_falls_due_in_the_trash_meanwhile_is_not_taken_for_gone()
    {
        await UseDiskAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        await _host.StopAsync();
        await LoseDiskAsync();
        await using (var db = _host.OpenCatalog()) await db.Database.ExecuteSqlRawAsync("UPDATE volumes SET purge_after = removed_at, on_remove = 'delete' WHERE state = 'trashed'");

        _host.Settings = _host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(50) };
        await _host.StartAsync();
        await Task.Delay(300);
        Assert.DoesNotContain("purge", await _host.EventsAsync("v"));
        await FindDiskAsync();
        await Poll.UntilAsync("it is purged when the disk is back", async () => (await _host.EventsAsync("v")).Contains("purge"));
    }

    [Fact]
    public async Task A_disk_that_is_mounted_before_the_first_volume_is_made_becomes_the_root()
    {
        await _host.StartAsync();
        await _host.StopAsync();
        await UseDiskAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
    }

    // The test framework calls this one, and not the other.
    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public Task InitializeAsync() => Task.CompletedTask;

    public ValueTask DisposeAsync() => _host.DisposeAsync();
}
