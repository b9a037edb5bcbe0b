using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Docker;

/// <summary>protocol.md 8, 30 and 31: nothing that is in use is touched, and a removal that was cut off is finished.</summary>
public sealed class RemoveTests : IAsyncLifetime
{
    TestHost _host = null!;

    public async Task InitializeAsync()
    {
        _host = await TestHost.StartNewAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        await File.WriteAllTextAsync(_host.DataOf("v") + "/f", "data");
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task A_removed_volume_lies_whole_in_the_trash()
    {
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        Assert.Equal("no such volume", (await _host.Engine.GetAsync("v")).Err);
        Assert.False(Directory.Exists(_host.DataOf("v")));
        Assert.Equal("data", await File.ReadAllTextAsync(Trashed("v") + "/f"));
        Assert.Equal("0:0 700", await ShellCommand.OwnerAndModeAsync(_host.DataOf(".trash")));
        await using var db = _host.OpenCatalog();
        var row = await db.Volumes.AsNoTracking().SingleAsync();
        Assert.Equal(VolumeState.Trashed, row.State);
        Assert.Equal(TimeSpan.FromHours(24), row.PurgeAfter - row.RemovedAt);
    }

    [Fact]
    public async Task Removing_what_is_not_there_or_no_longer_is_success()
    {
        Assert.Equal("", await _host.Engine.RemoveAsync("nobody"));
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        Assert.Single(Directory.GetDirectories(_host.DataOf(".trash")));
    }

    [Fact]
    public async Task A_removed_name_is_free_for_a_new_empty_volume()
    {
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal("", await _host.Engine.RemoveAsync("v"));
            Assert.Equal("", await _host.Engine.CreateAsync("v", new { mode = "0700" }));
            Assert.Empty(Directory.GetFileSystemEntries(_host.DataOf("v")));
        }

        Assert.Equal(3, Directory.GetDirectories(_host.DataOf(".trash"), "v.*").Length);
    }

    [Fact]
    public async Task A_mounted_volume_is_not_removed_and_its_holder_is_named()
    {
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.MountAsync("v", "y");
        Assert.StartsWith("volume v is in use on host test-host (2 callers since ", await _host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
        await RefusalsAreWrittenAsync(1);
        Assert.Equal("data", await File.ReadAllTextAsync(_host.TargetOf("v") + "/f"));
        Assert.Equal("", (await _host.Engine.GetAsync("v")).Err);
        await _host.Engine.UnmountAsync("v", "x");
        Assert.StartsWith("volume v is in use on host test-host (1 caller since ", await _host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
        await RefusalsAreWrittenAsync(2);
        await _host.Engine.UnmountAsync("v", "y");
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        Assert.Equal(["create", "mount", "attach", "mount", "remove!", "unmount", "remove!", "unmount", "remove"], await _host.EventsAsync("v"));

        // In a cluster a refusal is written beside the calls that follow it.
        Task RefusalsAreWrittenAsync(int count) => Poll.UntilAsync("the refusal is written", async () => (await _host.EventsAsync("v")).Count(kind => kind == "remove!") == count);
    }

    [Fact]
    public async Task Something_mounted_below_the_directory_blocks_its_removal_and_the_volume_goes_on()
    {
        var other = Directory.CreateDirectory(_host.DataOf("other")).FullName;
        var below = Directory.CreateDirectory(_host.DataOf("v/below")).FullName;
        await ShellCommand.BindAsync(other, below);
        Assert.Contains($"{below} is mounted within its directory, unmount it first", await _host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("v") + "/f"));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        await Command.OutputOfAsync("umount", below);
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
    }

    [Theory]
    [InlineData("below\rwith a carriage return")]
    [InlineData("below with space\tand tab\nand newline")]
    [InlineData("below-ünïcode")]
    public async Task What_is_mounted_below_is_seen_whatever_it_is_called(string name)
    {
        var other = Directory.CreateDirectory(_host.DataOf("other")).FullName;
        var below = Directory.CreateDirectory(_host.DataOf("v/" + name)).FullName;
        await ShellCommand.BindAsync(other, below);
        try
        {
            Assert.Contains("is mounted within its directory", await _host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
        }
        finally
        {
            var at = Directory.Exists(below) ? below : Path.Combine(Trashed("v"), name);
            await Command.OutputOfAsync("umount", at);
        }
    }

    [Fact]
    public async Task The_directory_mounted_elsewhere_blocks_its_removal()
    {
        var elsewhere = Directory.CreateDirectory(_host.DataOf("elsewhere")).FullName;
        await ShellCommand.BindAsync(_host.DataOf("v"), elsewhere);
        Assert.Contains("a container or another mount still has " + _host.DataOf("v"), await _host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
        await Command.OutputOfAsync("umount", elsewhere);
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
    }

    [Fact]
    public async Task A_volume_whose_directory_is_lost_can_be_removed()
    {
        Directory.Delete(_host.DataOf("v"), recursive: true);
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        Assert.Equal("no such volume", (await _host.Engine.GetAsync("v")).Err);
    }

    [Fact]
    public async Task Retain_leaves_the_directory_which_a_new_volume_gets_only_by_adopting_it()
    {
        await _host.Engine.CreateAsync("r", new Dictionary<string, string> { ["on-remove"] = "retain" });
        await File.WriteAllTextAsync(_host.DataOf("r") + "/f", "data");
        Assert.Equal("", await _host.Engine.RemoveAsync("r"));
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("r") + "/f"));
        Assert.Empty(Directory.GetDirectories(_host.DataOf(".trash")));

        Assert.Contains($"{_host.DataOf("r")} exists and holds data: adopt it with -o path=r", await _host.Engine.CreateAsync("r"), StringComparison.Ordinal);
        Assert.Equal("", await _host.Engine.CreateAsync("r", new { path = "r" }));
        await _host.Engine.MountAsync("r", "x");
        Assert.Equal("data", await File.ReadAllTextAsync(_host.TargetOf("r") + "/f"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_removal_that_was_cut_off_is_finished_at_the_next_start(bool renamed)
    {
        await BreakOffRemovalAsync(renamed);
        await _host.StartAsync();
        await Poll.UntilAsync("the removal is finished", async () => (await _host.Engine.GetAsync("v")).Err == "no such volume");
        Assert.Equal("data", await File.ReadAllTextAsync(Trashed("v") + "/f"));
        await using var db = _host.OpenCatalog();
        Assert.Equal(VolumeState.Trashed, (await db.Volumes.AsNoTracking().SingleAsync()).State);
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
    }

    [Fact]
    public async Task A_Create_that_meets_a_removal_that_was_cut_off_gets_a_volume_that_stays()
    {
        var names = Enumerable.Range(0, 50).Select(i => $"v{i}").ToList();
        foreach (var name in names) await _host.Engine.CreateAsync(name);
        await _host.StopAsync();
        await using (var db = _host.OpenCatalog()) await db.Database.ExecuteSqlAsync($"UPDATE volumes SET state = 'removing'");

        // Sent as soon as the socket is there, before the reconciler has come to all of them.
        var starting = _host.StartAsync();
        await Poll.UntilAsync("the socket is there", () => File.Exists(_host.Settings.Socket));
        Assert.All(await Task.WhenAll(names.Select(name => _host.Engine.CreateAsync(name))), error => Assert.Equal("", error));
        await starting;
        await Poll.UntilAsync("all that was cut off is in the trash", () => Directory.GetDirectories(_host.DataOf(".trash")).Length >= 51);
        await Poll.UntilAsync(
            "what was created anew is listed, and nothing else", async () => names.Order(StringComparer.Ordinal).SequenceEqual(await _host.Engine.ListAsync()));
    }

    [Fact]
    public async Task A_retained_volume_whose_removal_was_cut_off_is_gone_and_its_directory_stays()
    {
        await _host.Engine.CreateAsync("r", new Dictionary<string, string> { ["on-remove"] = "retain" });
        await _host.StopAsync();
        await using (var db = _host.OpenCatalog()) await db.Database.ExecuteSqlAsync($"UPDATE volumes SET state = 'removing' WHERE name = 'r'");
        await _host.StartAsync();
        await Poll.UntilAsync("the removal is finished", async () => (await _host.Engine.GetAsync("r")).Err == "no such volume");
        Assert.True(Directory.Exists(_host.DataOf("r")));
    }

    async Task BreakOffRemovalAsync(bool renamed)
    {
        await _host.StopAsync();
        await using var db = _host.OpenCatalog();
        Assert.Equal(1, await db.Database.ExecuteSqlAsync($"UPDATE volumes SET state = 'removing' WHERE name = 'v'"));
        var id = (await db.Volumes.AsNoTracking().SingleAsync()).Id;
        if (renamed) Directory.Move(_host.DataOf("v"), _host.DataOf($".trash/v.{id:N}"));
    }

    string Trashed(string name) => Assert.Single(Directory.GetDirectories(_host.DataOf(".trash"), name + ".*"));
}
