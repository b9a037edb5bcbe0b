using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

/// <summary>Of restoring a volume and deleting its data one happens, whole; whoever is killed in between.</summary>
public sealed class TrashPurgeTests : IAsyncLifetime
{
    TestHost _host = null!;
    OperatorClient _operator = null!;

    public async Task InitializeAsync()
    {
        _host = await TestHost.StartNewAsync();
        _operator = OperatorClient.Of(_host);
    }

    public async Task DisposeAsync()
    {
        _operator.Dispose();
        await _host.DisposeAsync();
    }

    async Task MakeAsync(string name, int files = 1)
    {
        Assert.Equal("", await _host.Engine.CreateAsync(name));
        await Command.OutputOfAsync("sh", "-c", $"cd \"$0\" && seq -f 'f%g' {files} | xargs touch", _host.DataOf(name));
    }

    async Task<VolumeState?> StateAsync(string name)
    {
        await using var db = _host.OpenCatalog();
        return (await db.Volumes.AsNoTracking().SingleOrDefaultAsync(v => v.Name == name))?.State;
    }

    [Fact]
    public async Task What_is_ordered_to_go_goes_at_once_whatever_the_retention_and_the_clock_say()
    {
        foreach (var name in new[] { "one", "other" })
        {
            await MakeAsync(name);
            Assert.Equal("", await _host.Engine.RemoveAsync(name));
        }

        var reply = await _operator.SendAsync("DELETE", "/v1/trash/one");
        Assert.Equal("one", Assert.Single(reply.Json.GetProperty("volumes").EnumerateArray()).GetProperty("name").GetString());
        await Poll.UntilAsync("one is gone", async () => await StateAsync("one") == VolumeState.Gone);
        Assert.Equal(VolumeState.Trashed, await StateAsync("other"));
        Assert.Single(Directory.GetFileSystemEntries(_host.DataOf(".trash")));
        Assert.Equal(404, (await _operator.RestoreAsync("one")).Status);

        await MakeAsync("third");
        Assert.Equal("", await _host.Engine.RemoveAsync("third"));
        reply = await _operator.SendAsync("DELETE", "/v1/trash");
        Assert.Equal(["third", "other"], reply.Json.GetProperty("volumes").EnumerateArray().Select(v => v.GetProperty("name").GetString()));
        await Poll.UntilAsync("the trash is empty", () => Directory.GetFileSystemEntries(_host.DataOf(".trash")).Length == 0);
        // It is told when it is done.
        await Poll.UntilAsync("third is gone", async () => await StateAsync("third") == VolumeState.Gone);
        Assert.Equal(["create", "remove", "purge-order", "purge"], await _host.EventsAsync("third"));
        Assert.Empty((await _operator.SendAsync("DELETE", "/v1/trash")).Json.GetProperty("volumes").EnumerateArray());
    }

    [Fact]
    public async Task What_was_removed_by_a_clock_that_was_ahead_goes_at_once_when_that_is_ordered()
    {
        await MakeAsync("v");
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        await _host.StopAsync();
        var ahead = DateTime.UtcNow.AddYears(1);
        await using (var db = _host.OpenCatalog()) Assert.Equal(1, await db.Database.ExecuteSqlAsync($"UPDATE volumes SET removed_at = {ahead}, purge_after = {ahead.AddDays(1)}"));
        await _host.StartAsync();
        Assert.Equal(200, (await _operator.SendAsync("DELETE", "/v1/trash/v")).Status);
        await Poll.UntilAsync("it is gone", async () => await StateAsync("v") == VolumeState.Gone);
    }

    [Fact]
    public async Task A_restore_and_a_purge_at_one_moment_leave_all_or_nothing()
    {
        const int files = 300;
        var (restored, purged) = (0, 0);
        for (var i = 0; i < 30; i++)
        {
            var name = $"v{i}";
            await MakeAsync(name, files);
            Assert.Equal("", await _host.Engine.RemoveAsync(name));
            var purge = _operator.SendAsync("DELETE", "/v1/trash/" + name);
            await Task.Delay(i % 10);
            var restore = await _operator.RestoreAsync(name);
            Assert.Contains((await purge).Status, (int[])[200, 404, 409]);
            if (restore.Status == 200)
            {
                restored++;
                Assert.Equal(files, Directory.GetFiles(_host.DataOf(name)).Length);
                Assert.Equal(VolumeState.Ready, await StateAsync(name));
            }
            else
            {
                purged++;
                await Poll.UntilAsync("it is gone", async () => await StateAsync(name) == VolumeState.Gone);
                Assert.False(Directory.Exists(_host.DataOf(name)));
            }
        }

        await Poll.UntilAsync("the trash is empty", () => Directory.GetFileSystemEntries(_host.DataOf(".trash")).Length == 0);
        Assert.Equal(restored, (await _host.Engine.ListAsync()).Count);
        Assert.Equal(30, restored + purged);
    }

    [Fact]
    public async Task What_is_left_of_a_purge_is_not_restored_and_deleted_at_the_next_start()
    {
        await MakeAsync("v", 10);
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        await _host.StopAsync();
        // As a daemon leaves it that is killed among the files; and again in a catalog that has forgotten the purge.
        var entry = Directory.GetDirectories(_host.DataOf(".trash")).Single();
        Directory.Move(entry, entry + ".purging");
        File.Delete(entry + ".purging/f1");
        await SetAsync("purging", interval: TimeSpan.FromHours(1));
        await _host.StartAsync();
        await Poll.UntilAsync("the purge is finished", async () => await StateAsync("v") == VolumeState.Gone);
        Assert.Empty(Directory.GetFileSystemEntries(_host.DataOf(".trash")));

        await MakeAsync("w", 10);
        Assert.Equal("", await _host.Engine.RemoveAsync("w"));
        entry = Directory.GetDirectories(_host.DataOf(".trash")).Single();
        Directory.Move(entry, entry + ".purging");
        Assert.Contains("is not in the trash", (await _operator.RestoreAsync("w")).Detail, StringComparison.Ordinal);
        Assert.Equal(VolumeState.Trashed, await StateAsync("w"));
    }

    async Task SetAsync(string state, TimeSpan interval)
    {
        _host.Settings = _host.Settings with { ReconcileInterval = interval };
        await using var db = _host.OpenCatalog();
        // Due as by an order: a clock that has just started is not trusted otherwise.
        Assert.Equal(1, await db.Database.ExecuteSqlAsync($"UPDATE volumes SET state = {state}, purge_after = removed_at WHERE state = 'trashed'"));
    }

    [Fact]
    public async Task A_purge_that_cannot_go_on_is_shown_and_is_no_volume_to_restore()
    {
        await MakeAsync("v");
        var below = Directory.CreateDirectory(_host.DataOf("v/below")).FullName;
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        var entry = Directory.GetDirectories(_host.DataOf(".trash")).Single();
        await ShellCommand.BindAsync(Directory.CreateDirectory(_host.DataOf("elsewhere")).FullName, entry + "/below");
        Assert.False(Directory.Exists(below));
        Assert.Equal(200, (await _operator.SendAsync("DELETE", "/v1/trash/v")).Status);
        await Poll.UntilAsync("it is shown", async () => (await _operator.TrashAsync())[0].GetProperty("state").GetString() == "purging");
        Assert.Equal((409, "the data of volume v is being deleted already: it cannot be restored"), ((await _operator.RestoreAsync("v")).Status, (await _operator.RestoreAsync("v")).Detail));
        await Command.OutputOfAsync("umount", entry + "/below");
        Assert.Equal(200, (await _operator.SendAsync("DELETE", "/v1/trash/v")).Status);
        await Poll.UntilAsync("it is deleted when nothing is mounted in it any more", async () => await StateAsync("v") == VolumeState.Gone);
    }
}
