using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Docker;

/// <summary>The end of data: when its retention is over it is deleted whole, whatever containers left in it, and nothing besides.</summary>
public sealed class PurgeTests : IAsyncLifetime
{
    TestHost _host = null!;

    public async Task InitializeAsync() => _host = await TestHost.StartNewAsync();

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task Trash_is_kept_for_its_retention_and_then_deleted()
    {
        await RestartAsync(retention: TimeSpan.FromSeconds(2));
        await MakeAndRemoveAsync("v", "trash");
        Assert.Single(Directory.GetDirectories(_host.DataOf(".trash")));
        await Task.Delay(500);
        Assert.Single(Directory.GetDirectories(_host.DataOf(".trash")));
        await PurgedAsync();
        Assert.Equal(["create", "remove", "purge"], await _host.EventsAsync("v"));
    }

    [Fact]
    public async Task Delete_does_not_wait_for_the_retention_or_the_next_pass()
    {
        await RestartAsync(TimeSpan.FromHours(24), interval: TimeSpan.FromHours(1));
        await MakeAndRemoveAsync("v", "delete");
        await PurgedAsync();
    }

    [Fact]
    public async Task A_retention_of_zero_deletes_at_once()
    {
        await RestartAsync(TimeSpan.Zero, interval: TimeSpan.FromHours(1));
        await MakeAndRemoveAsync("v", "trash");
        await PurgedAsync();
    }

    [Fact]
    public async Task What_containers_leave_behind_is_deleted_and_nothing_outside_is()
    {
        using var outside = new ScratchFolder();
        await File.WriteAllTextAsync(outside.Of("precious"), "data");
        await RestartAsync(retention: TimeSpan.Zero);
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        // Nested deeper than open files or the stack would bear, names of all bytes, links, fifos, and what only root may enter.
        const string script = """
            cd "$0" || exit 1
            ln -s "$1" link-to-directory; ln -s "$1/precious" link-to-file; ln -s / root; ln -s . self; ln -s missing dangling
            : > "$(printf 'not-utf8-\377\376')"; mkdir "$(printf 'dir-\200\201')"; : > "$(printf 'dir-\200\201')/f"; : > "$(printf 'new\nline')"
            mkfifo fifo; mkdir locked; : > locked/f; chmod 000 locked; : > -rf; : > ' '
            i=0; while [ $i -lt 200 ]; do mkdir n; : > f; cd -P n || exit 1; i=$((i + 1)); done
            """;
        await Command.OutputOfAsync("sh", "-c", script, _host.DataOf("v"), outside.FullPath);
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        await PurgedAsync();
        Assert.Equal("data", await File.ReadAllTextAsync(outside.Of("precious")));
        Assert.Single(Directory.GetFileSystemEntries(outside.FullPath));
    }

    [Fact]
    public async Task A_purge_is_resumed_after_a_restart()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["on-remove"] = "delete" }));
        await Command.OutputOfAsync("sh", "-c", """cd "$0" && mkdir a b c && seq -f 'a/%g' 5000 | xargs touch && seq -f 'b/%g' 5000 | xargs touch""", _host.DataOf("v"));
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        await _host.StopAsync();
        await _host.StartAsync();
        await PurgedAsync();
        Assert.Equal(["create", "remove", "purge"], await _host.EventsAsync("v"));
    }

    [Fact]
    public async Task A_purge_that_was_done_but_not_written_down_is_written_down()
    {
        await MakeAndRemoveAsync("v", "trash");
        await _host.StopAsync();
        Directory.Delete(Directory.GetDirectories(_host.DataOf(".trash")).Single(), recursive: true);
        await using (var db = _host.OpenCatalog()) await db.Database.ExecuteSqlAsync($"UPDATE volumes SET purge_after = removed_at");
        _host.Settings = _host.Settings with { TrashRetention = TimeSpan.Zero };
        await _host.StartAsync();
        await PurgedAsync();
    }

    [Fact]
    public async Task What_a_jump_of_the_clock_makes_due_is_not_deleted_at_once()
    {
        await MakeAndRemoveAsync("v", "trash");
        await _host.StopAsync();
        await using (var db = _host.OpenCatalog()) await db.Database.ExecuteSqlAsync($"UPDATE volumes SET purge_after = '2000-01-01 00:00:00'");
        _host.Settings = _host.Settings with { Timings = _host.Settings.Timings with { ClockAgreement = Timings.Real.ClockAgreement } };
        await RestartAsync(TimeSpan.FromHours(24));
        await Task.Delay(500);
        Assert.Single(Directory.GetDirectories(_host.DataOf(".trash")));
    }

    [Fact]
    public async Task What_is_mounted_in_the_trash_is_not_deleted_until_it_is_unmounted()
    {
        var other = Directory.CreateDirectory(_host.DataOf("other")).FullName;
        await File.WriteAllTextAsync(other + "/precious", "data");
        await MakeAndRemoveAsync("v", "trash");
        await _host.StopAsync();
        var below = Directory.CreateDirectory(Directory.GetDirectories(_host.DataOf(".trash")).Single() + "/below").FullName;
        await ShellCommand.BindAsync(other, below);
        await using (var db = _host.OpenCatalog()) await db.Database.ExecuteSqlAsync($"UPDATE volumes SET purge_after = removed_at");
        await RestartAsync(TimeSpan.Zero);
        await Task.Delay(500);
        Assert.Equal("data", await File.ReadAllTextAsync(other + "/precious"));
        await Command.OutputOfAsync("umount", below);
        await PurgedAsync();
        Assert.Equal("data", await File.ReadAllTextAsync(other + "/precious"));
    }

    [Fact]
    public async Task What_nobody_removed_is_never_purged()
    {
        await RestartAsync(TimeSpan.Zero);
        await _host.Engine.CreateAsync("kept");
        await File.WriteAllTextAsync(_host.DataOf("kept") + "/f", "data");
        Directory.CreateDirectory(_host.DataOf(".trash/not-ours"));
        await MakeAndRemoveAsync("v", "delete");
        await Poll.UntilAsync("v is purged", async () => (await _host.EventsAsync("v")).Contains("purge"));
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("kept") + "/f"));
        Assert.True(Directory.Exists(_host.DataOf(".trash/not-ours")));
    }

    async Task RestartAsync(TimeSpan retention, TimeSpan? interval = null)
    {
        _host.Settings = _host.Settings with { TrashRetention = retention, ReconcileInterval = interval ?? TimeSpan.FromMilliseconds(50) };
        await _host.RestartAsync();
    }

    async Task MakeAndRemoveAsync(string name, string onRemove)
    {
        Assert.Equal("", await _host.Engine.CreateAsync(name, new Dictionary<string, string> { ["on-remove"] = onRemove }));
        await File.WriteAllTextAsync(_host.DataOf(name) + "/f", "data");
        Assert.Equal("", await _host.Engine.RemoveAsync(name));
        Assert.False(Directory.Exists(_host.DataOf(name)));
    }

    Task PurgedAsync() => Poll.UntilAsync("the trash is gone and its rows say so", async () =>
    {
        await using var db = _host.OpenCatalog();
        return Directory.GetFileSystemEntries(_host.DataOf(".trash")).Length == 0 && !await db.Volumes.AnyAsync(v => v.State != VolumeState.Gone);
    });
}
