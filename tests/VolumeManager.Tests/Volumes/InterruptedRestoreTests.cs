using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;
using VolumeManager.Volumes;
using Xunit.Abstractions;

namespace VolumeManager.Tests.Volumes;

/// <summary>A restoration that a killed daemon has left halfway is finished, or taken back, and the data is whole in one place all the time.</summary>
public sealed class InterruptedRestoreTests(ITestOutputHelper output) : IAsyncLifetime
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

    static async Task<Volume> RowAsync(TestHost host)
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
        await TestHost.EventuallyAsync(async () => await RowAsync() is { State: VolumeState.Ready, RemovedAt: null, PurgeAfter: null }, "it is ready");
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
        await TestHost.EventuallyAsync(async () => await RowAsync() is { State: VolumeState.Trashed, Name: "v", Directory: "v" }, "it is in the trash");
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
        await TestHost.EventuallyAsync(async () => await RowAsync() is { State: VolumeState.Trashed }, "it is in the trash");
        Assert.Equal("", await _host.Engine.CreateAsync("w"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_comes_before_the_reconciler_finds_a_volume_that_stays(bool removes)
    {
        await BreakOffAsync("v", moved: false);
        var starting = _host.StartAsync();
        await TestHost.EventuallyAsync(() => Task.FromResult(File.Exists(_host.Settings.Socket)), "the socket is there");
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

    [Fact]
    public async Task Killed_at_any_moment_of_removals_and_restorations_the_data_is_whole_and_the_catalog_knows_where()
    {
        await using var host = new TestHost();
        var seed = Environment.TickCount;
        var (random, kills, restored) = (new Random(seed), 0, 0);
        for (; kills < 12; kills++)
        {
            if (kills > 0) await AgeAsync(host);
            await using var daemon = await DaemonProcess.StartAsync(host);
            if (kills == 0) await host.Engine.CreateAsync("v0");
            if (kills == 0) await File.WriteAllTextAsync(host.DataOf("v0") + "/f", "data");
            using var operate = OperatorClient.Of(host);
            using var stop = new CancellationTokenSource();
            var work = WorkAsync(host, operate, () => restored++, stop.Token);
            await Task.WhenAny(work, Task.Delay(random.Next(100, 700)));
            await daemon.KillAsync();
            await stop.CancelAsync();
            await work;
        }

        output.WriteLine($"seed {seed}: {kills} kills, {restored} restorations acknowledged");
        await AgeAsync(host);
        await using var last = await DaemonProcess.StartAsync(host);
        Volume? row = null;
        await TestHost.EventuallyAsync(async () => (row = await RowAsync(host)).State is VolumeState.Ready or VolumeState.Trashed, "what was begun is finished");
        if (row!.State == VolumeState.Trashed)
        {
            Assert.True(File.Exists(host.DataOf($".trash/{row.Name}.{row.Id:N}/f")));
            using var operate = OperatorClient.Of(host);
            Assert.Equal("", (await operate.RestoreAsync($"{row.Id}")).Detail);
        }

        Assert.Equal("data", await File.ReadAllTextAsync(host.DataOf(row.Name) + "/f"));
        Assert.Equal([row.Name], await host.Engine.ListAsync());
        Assert.True(restored > 0);
    }

    /// <summary>Whoever was killed was so less than two minutes ago: a cluster would wait for it.</summary>
    static async Task AgeAsync(TestHost host)
    {
        await using var db = host.OpenCatalog();
        await db.Database.ExecuteSqlAsync($"UPDATE volumes SET removed_at = '2026-01-01 00:00:00' WHERE removed_at IS NOT NULL");
    }

    static async Task WorkAsync(TestHost host, OperatorClient operate, Action restored, CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            try
            {
                foreach (var name in await host.Engine.ListAsync()) await host.Engine.RemoveAsync(name);
                foreach (var volume in await operate.TrashAsync())
                {
                    if ((await operate.RestoreAsync(volume.GetProperty("id").GetString()!, $"v{i % 3}")).Status == 200) restored();
                }
            }
            catch (Exception e) when (e is System.Net.Sockets.SocketException or HttpRequestException or System.Text.Json.JsonException or KeyNotFoundException or InvalidOperationException)
            {
                // It was killed.
                return;
            }
        }
    }
}
