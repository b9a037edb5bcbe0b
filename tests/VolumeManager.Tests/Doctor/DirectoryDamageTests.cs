using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Doctor;

/// <summary>Catalog against directories and trash. Nothing that holds data is deleted.</summary>
public sealed class DirectoryDamageTests : IAsyncLifetime
{
    TestHost Host { get; } = new();

    public async Task InitializeAsync()
    {
        await Host.StartAsync();
        Assert.Equal("", await Host.Engine.CreateAsync("v"));
        Assert.Equal("", await Host.Engine.MountAsync("v", "x"));
        Assert.Equal("", await Host.Engine.UnmountAsync("v", "x"));
        await File.WriteAllTextAsync(Host.DataOf("v") + "/f", "data");
        Assert.Empty(await Host.DiagnoseAsync());
    }

    public async Task DisposeAsync() => await Host.DisposeAsync();

    async Task<string> RemoveAsync(string volume)
    {
        Assert.Equal("", await Host.Engine.RemoveAsync(volume));
        using var asks = OperatorClient.Of(Host);
        return (await asks.TrashAsync()).First(v => v.GetProperty("name").GetString() == volume).GetProperty("id").GetGuid().ToString("N");
    }

    [Fact]
    public async Task A_directory_that_was_deleted_is_told()
    {
        Directory.Delete(Host.DataOf("v"), recursive: true);
        await Host.TellsAsync("directory-missing", "error", $"the directory {Host.DataOf("v")} of volume v is missing", "restore it from a backup");
        Assert.False(Directory.Exists(Host.DataOf("v")));
    }

    [Fact]
    public async Task A_file_in_its_place_is_no_directory()
    {
        Directory.Delete(Host.DataOf("v"), recursive: true);
        await File.WriteAllTextAsync(Host.DataOf("v"), "");
        Assert.Equal("directory-missing", Assert.Single(await Host.DiagnoseAsync()).Code);
    }

    [Fact]
    public async Task One_that_was_never_mounted_and_holds_nothing_is_not_missed()
    {
        Assert.Equal("", await Host.Engine.CreateAsync("fresh"));
        Directory.Delete(Host.DataOf("fresh"));
        Assert.Empty(await Host.DiagnoseAsync());
    }

    [Fact]
    public async Task Data_that_lies_in_the_trash_of_a_living_volume_is_moved_back()
    {
        // As when the catalog is brought back from a backup of before a removal.
        var id = await RemoveAsync("v");
        await Host.StopAsync();
        await Host.EditAsync("UPDATE volumes SET state = 'ready', removed_at = NULL, purge_after = NULL");
        await Host.StartAsync();
        Assert.True(Directory.Exists(Host.DataOf($".trash/v.{id}")));
        await Host.HealsAsync("directory-trashed", "error", "its data is in the trash although the volume was not removed", "moves the data back to its place");
        Assert.Equal("data", await File.ReadAllTextAsync(Host.DataOf("v") + "/f"));
        Assert.Equal("", await Host.Engine.MountAsync("v", "x"));
    }

    [Fact]
    public async Task A_directory_that_nobody_knows_is_told_and_kept()
    {
        Directory.CreateDirectory(Host.DataOf("found"));
        await File.WriteAllTextAsync(Host.DataOf("found") + "/f", "");
        await File.WriteAllTextAsync(Host.DataOf("a-file"), "");
        await Host.TellsAsync("directory-unknown", "warning", $"{Host.DataOf("found")} is the directory of no volume, living or removed", "volman volume adopt makes a volume of it");
        Assert.True(File.Exists(Host.DataOf("found") + "/f"));
    }

    [Fact]
    public async Task A_directory_that_a_volume_has_below_it_is_explained()
    {
        Directory.CreateDirectory(Host.DataOf("team/a"));
        Assert.Equal("", await Host.Engine.CreateAsync("a", new Dictionary<string, string> { ["path"] = "team/a" }));
        Assert.Empty(await Host.DiagnoseAsync());
    }

    [Fact]
    public async Task A_directory_that_was_let_go_of_is_a_note()
    {
        Assert.Equal("", await Host.Engine.CreateAsync("kept", new Dictionary<string, string> { ["on-remove"] = "retain" }));
        Assert.Equal("", await Host.Engine.RemoveAsync("kept"));
        Assert.Empty(await Host.DiagnoseAsync());
        // A day later the row is forgotten.
        Assert.Equal(1, await Host.EditAsync("DELETE FROM volumes WHERE name = 'kept'"));
        await Host.TellsAsync("directory-retained", "note", $"{Host.DataOf("kept")} was let go of with its volume", "volman volume adopt takes it up again");
    }

    [Fact]
    public async Task What_a_killed_copy_has_left_in_the_trash_is_told()
    {
        var entry = Host.DataOf($".trash/w.{Guid.NewGuid():N}.copying");
        Directory.CreateDirectory(entry);
        await Host.TellsAsync("copy-unfinished", "note", $"{entry} is a copy of a volume that is not whole", "delete it when nobody moves or clones a volume");
    }

    [Fact]
    public async Task An_entry_of_the_trash_that_nobody_knows_is_told_and_kept()
    {
        var entry = Host.DataOf($".trash/lost.{Guid.NewGuid():N}");
        Directory.CreateDirectory(entry);
        await Host.TellsAsync("trash-unknown", "warning", $"{entry} is in the trash, and the catalog has no such volume", "adopt it with volman volume adopt");
        Assert.True(Directory.Exists(entry));
    }

    [Fact]
    public async Task Data_that_is_gone_from_the_trash_is_told()
    {
        var id = await RemoveAsync("v");
        Assert.Empty(await Host.DiagnoseAsync());
        Directory.Delete(Host.DataOf($".trash/v.{id}"), recursive: true);
        await Host.TellsAsync("trash-missing", "warning", "can be restored by the catalog, but its data is not in the trash", $"volman trash empty {Guid.ParseExact(id, "N")}");
    }

    [Fact]
    public async Task Data_that_should_have_been_deleted_long_ago_is_deleted()
    {
        var id = await RemoveAsync("v");
        await using (var db = Host.OpenCatalog())
        {
            var before = DateTime.UtcNow.AddHours(-3);
            Assert.Equal(1, await db.Database.ExecuteSqlAsync($"UPDATE volumes SET removed_at = {before}, purge_after = {before} WHERE name = 'v'"));
        }

        await Host.HealsAsync("trash-overdue", "warning", "should have been deleted at", "has it deleted now");
        Assert.False(Directory.Exists(Host.DataOf($".trash/v.{id}")));
    }

    [Fact]
    public async Task A_disk_that_is_read_only_is_told()
    {
        await Command.OutputOfAsync("mount", "--bind", Host.Settings.DataRoot, Host.Settings.DataRoot);
        await Command.OutputOfAsync("mount", "-o", "remount,bind,ro", Host.Settings.DataRoot);
        await Host.TellsAsync("export-unwritable", "error", $"volumes cannot be made in {Host.Settings.DataRoot} with the owners that they should have (mkdir ", $"see to {Host.Settings.DataRoot}, then try again");
        await Command.OutputOfAsync("umount", Host.Settings.DataRoot);
        Assert.Empty(await Host.DiagnoseAsync());
        Assert.Empty(Directory.GetDirectories(Host.Settings.DataRoot, ".volman-*"));
    }

    [Fact]
    public async Task A_disk_that_is_not_mounted_is_told_once_and_not_for_each_volume()
    {
        Directory.Move(Host.Settings.DataRoot, Host.Settings.DataRoot + ".away");
        Directory.CreateDirectory(Host.Settings.DataRoot);
        await Host.TellsAsync("data-root-away", "error", "is not the directory that it was", "mount its disk");
        Directory.Delete(Host.Settings.DataRoot);
        Directory.Move(Host.Settings.DataRoot + ".away", Host.Settings.DataRoot);
        Assert.Empty(await Host.DiagnoseAsync());
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_told_once_for_all_its_volumes()
    {
        await Host.StopAsync();
        await using (var db = Host.OpenCatalog())
        {
            for (var i = 0; i < 3; i++)
            {
                var (id, now, name) = (Guid.CreateVersion7(), DateTime.UtcNow, $"far-{i}");
                await db.Database.ExecuteSqlAsync($"""
                    INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, provisioned_at, revision)
                    VALUES ({id}, {name}, 'nfs', '127.0.0.9', '/far', {name}, {false}, 'shared', 0, 0, 493, 'trash', 'ready', 1, {now}, 'test-host', {now}, 1)
                    """);
            }
        }

        await Host.StartAsync();
        await Host.TellsAsync("export-unreachable", "error", "the NFS server 127.0.0.9 does not answer", "see to what the reason names");
    }
}
