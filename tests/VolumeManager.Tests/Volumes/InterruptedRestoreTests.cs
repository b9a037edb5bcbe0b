using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

/// <summary>A restoration that a killed daemon has left halfway is finished, or taken back, and the data is whole in one place all the time.</summary>
public sealed class InterruptedRestoreTests : IAsyncLifetime
{
    TestHost _host = null!;

    public async Task InitializeAsync()
    {
        _host = await TestHost.StartNewAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["label.team"] = "web" }));
        await File.WriteAllTextAsync(_host.DataOf("v") + "/f", "data");
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    string Trashed => Directory.GetDirectories(_host.DataOf(".trash")).Single();

    /// <summary>What a daemon leaves that is killed behind the first step, or the second one.</summary>
    async Task BreakOffAsync(string name, bool moved)
    {
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        await _host.StopAsync();
        await using var db = _host.OpenCatalog();
        // Long ago, for another host of a cluster gives the one that began some minutes.
        Assert.Equal(1, await db.Database.ExecuteSqlAsync($"UPDATE volumes SET state = 'restoring', name = {name}, directory = {name}, removed_at = '2026-01-01 00:00:00'"));
        if (moved) Directory.Move(Trashed, _host.DataOf(name));
    }

    Task<Volume> RowAsync() => RowAsync(_host);

    internal static async Task<Volume> RowAsync(TestHost host)
    {
        await using var db = host.OpenCatalog();
        return await db.Volumes.AsNoTracking().SingleAsync();
    }

    [Theory]
    [InlineData("v", false)]
    [InlineData("v", true)]
    [InlineData("w", false)]
    [InlineData("w", true)]
    public async Task The_next_start_finishes_it(string name, bool moved)
    {
        await BreakOffAsync(name, moved);
        await _host.StartAsync();
        await Poll.UntilAsync("it is ready", async () => await RowAsync() is { State: VolumeState.Ready, RemovedAt: null, PurgeAfter: null });
        Assert.Equal([name], await _host.Engine.ListAsync());
        Assert.Equal("", await _host.Engine.MountAsync(name, "x"));
        Assert.Equal("data", await File.ReadAllTextAsync(_host.TargetOf(name) + "/f"));
        Assert.Contains("web", (await _host.Engine.GetAsync(name)).Body, StringComparison.Ordinal);
        Assert.Contains("restore", await _host.EventsAsync(name));
        Assert.Empty(Directory.GetFileSystemEntries(_host.DataOf(".trash")));
    }

    [Fact]
    public async Task What_cannot_be_moved_is_in_the_trash_again_under_its_old_name()
    {
        await BreakOffAsync("w", moved: false);
        Directory.CreateDirectory(_host.DataOf("w"));
        await File.WriteAllTextAsync(_host.DataOf("w") + "/precious", "other data");
        await _host.StartAsync();
        await Poll.UntilAsync("it is in the trash", async () => await RowAsync() is { State: VolumeState.Trashed, Name: "v", Directory: "v" });
        Assert.Empty(await _host.Engine.ListAsync());
        Assert.Equal("data", await File.ReadAllTextAsync(Trashed + "/f"));
        using var operate = OperatorClient.Of(_host);
        Assert.Equal("", (await operate.RestoreAsync("v")).Detail);
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("v") + "/f"));
    }

    [Fact]
    public async Task What_is_lost_altogether_does_not_keep_the_name()
    {
        await BreakOffAsync("w", moved: false);
        Directory.Delete(Trashed, recursive: true);
        await _host.StartAsync();
        await Poll.UntilAsync("it is in the trash", async () => await RowAsync() is { State: VolumeState.Trashed });
        Assert.Equal("", await _host.Engine.CreateAsync("w"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_comes_before_the_reconciler_finds_a_volume_that_stays(bool removes)
    {
        await BreakOffAsync("v", moved: false);
        var starting = _host.StartAsync();
        await Poll.UntilAsync("the socket is there", () => File.Exists(_host.Settings.Socket));
        Assert.Equal("", removes ? await _host.Engine.RemoveAsync("v") : await _host.Engine.CreateAsync("v"));
        await starting;
        if (removes)
        {
            Assert.Equal("data", await File.ReadAllTextAsync(Trashed + "/f"));
            Assert.Equal(VolumeState.Trashed, (await RowAsync()).State);
        }
        else
        {
            Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
            Assert.Equal("data", await File.ReadAllTextAsync(_host.TargetOf("v") + "/f"));
        }
    }
}
