using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;
using VolumeManager.Tests.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Copies;

/// <summary><c>volman volume clone</c> and <c>move</c> on one host: all that a tree has is copied, and whatever happens the volume is whole in one place.</summary>
public sealed class CopyTests : IAsyncLifetime, IAsyncDisposable
{
    readonly TestHost _host = new();

    public async Task InitializeAsync()
    {
        await _host.PrepareAsync();
        _host.Settings = _host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(100) };
        await _host.StartAsync();
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        // .NET cannot delete names that are no text.
        await Command.OutputOfAsync("rm", "-rf", _host.Settings.DataRoot);
        await _host.DisposeAsync();
    }

    Task<VolmanProcess.Ended> VolmanAsync(params string[] arguments) => VolmanProcess.RunAsync([.. arguments, "--admin-socket", _host.Settings.AdminSocket], null);

    async Task<string> DoneAsync(params string[] arguments)
    {
        var ended = await VolmanAsync(arguments);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        return ended.Output;
    }

    /// <summary>All that a container can make.</summary>
    internal static Task FillAsync(string directory) => Command.OutputOfAsync("sh", "-ec", $"""
        cd '{directory}'
        mkdir -p a/b/c; echo one > a/one; ln a/one a/b/same; ln -s ../one a/b/link; ln -s /nowhere broken
        mkfifo pipe; mknod null c 1 3; truncate -s 10M sparse; printf x | dd of=sparse bs=1 seek=5000000 conv=notrunc 2>/dev/null
        : > empty; touch -d '2001-02-03 04:05:06.123456789Z' empty; chmod 4711 a/one; chown 12345:54321 a/b
        printf 'n\303' > "$(printf 'no-utf8-\377')"; echo q > "$(printf 'a line\nbreak')"; mkdir 'closed'; chmod 000 closed
        head -c 3000000 /dev/urandom > random; touch -d 2002-02-02 a
        """);

    /// <summary>A tree as other programs see it.</summary>
    internal static async Task<string> SeenAsync(string directory) => await Command.OutputOfAsync("sh", "-ec", $"""
        cd '{directory}'
        find . -printf '%P %y %m %U %G %s %T@ %l %n\0' | sort -z | tr '\0' '\n'
        find . -type f -print0 | sort -z | xargs -0 sha256sum
        stat -c %i a/one a/b/same | uniq | wc -l
        """);

    [Fact]
    public async Task A_clone_has_all_that_the_volume_has_and_is_another_one()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["size"] = "1G", ["label.team"] = "web", ["mode"] = "0750", ["uid"] = "7" }));
        await FillAsync(_host.DataOf("v"));
        var before = await SeenAsync(_host.DataOf("v"));
        Assert.Equal($"Volume w would be at {_host.DataOf("w")}.\n", await DoneAsync("volume", "clone", "v", "w", "--dry-run"));
        Assert.False(Directory.Exists(_host.DataOf("w")));
        Assert.Equal($"Volume w is at {_host.DataOf("w")}.\n", await DoneAsync("volume", "clone", "v", "w", "-o", "size=2G", "-o", "label.copy=yes"));
        Assert.Equal(before, await SeenAsync(_host.DataOf("w")));
        Assert.Equal(before, await SeenAsync(_host.DataOf("v")));
        Assert.Equal("7:0 750", await ShellCommand.OwnerAndModeAsync(_host.DataOf("w")));
        Assert.Equal("", await _host.Engine.CreateAsync("w", new Dictionary<string, string> { ["size"] = "2G", ["label.team"] = "web", ["label.copy"] = "yes", ["mode"] = "0750", ["uid"] = "7" }));
        Assert.Equal("", await _host.Engine.MountAsync("w", "x"));
        await File.WriteAllTextAsync(_host.TargetOf("w") + "/a/one", "two");
        Assert.Equal("one\n", await File.ReadAllTextAsync(_host.DataOf("v") + "/a/one"));
        Assert.Equal("", await _host.Engine.UnmountAsync("w", "x"));
        Assert.Equal(["create"], (await _host.EventsAsync("w")).Take(1));
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task What_is_in_use_is_cloned_only_by_who_says_so_and_never_moved()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        await File.WriteAllTextAsync(_host.TargetOf("v") + "/f", "written");
        VolmanProcess.AssertRefused("volume v is in use on host test-host .+", await VolmanAsync("volume", "clone", "v", "w"));
        VolmanProcess.AssertRefused("volume v is at .+ already: name another server, export or backend", await VolmanAsync("volume", "move", "v", "--backend", "local"));
        Assert.Equal($"Volume w is at {_host.DataOf("w")}.\n", await DoneAsync("volume", "clone", "v", "w", "--live"));
        Assert.Equal("written", await File.ReadAllTextAsync(_host.DataOf("w") + "/f"));
        VolmanProcess.AssertRefused("there is a volume w already: choose another name", await VolmanAsync("volume", "clone", "v", "w", "--live"));
        Directory.CreateDirectory(_host.DataOf("full") + "/data");
        VolmanProcess.AssertRefused(".+/full exists and holds data: adopt it with volman volume adopt, or move it away", await VolmanAsync("volume", "clone", "v", "full", "--live"));
        VolmanProcess.AssertRefused("no such volume: nobody", await VolmanAsync("volume", "clone", "nobody", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task A_volume_moves_with_its_name_options_and_history_and_the_old_place_keeps_its_data()
    {
        Directory.CreateDirectory(_host.DataOf("old/deep"));
        await FillAsync(_host.DataOf("old/deep"));
        var before = await SeenAsync(_host.DataOf("old/deep"));
        var asked = new Dictionary<string, string> { ["path"] = "old/deep", ["on-remove"] = "trash", ["label.team"] = "web" };
        Assert.Equal("", await _host.Engine.CreateAsync("v", asked));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        VolmanProcess.AssertRefused("volume v is in use on host test-host .+", await VolmanAsync("volume", "move", "v", "--backend", "local"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));

        Assert.Equal($"Volume v would move to {_host.DataOf("v")}.\n", await DoneAsync("volume", "move", "v", "--backend", "local", "--dry-run"));
        Assert.Equal($"Volume v is at {_host.DataOf("v")}.\n", await DoneAsync("volume", "move", "v", "--backend", "local"));
        Assert.Equal(before, await SeenAsync(_host.DataOf("v")));
        Assert.False(Directory.Exists(_host.DataOf("old/deep")));
        Assert.Equal(["v"], await _host.Engine.ListAsync());
        Assert.Equal(["create", "mount", "attach", "unmount", "move"], await _host.EventsAsync("v"));
        // Who asks for what it was made with gets it still.
        Assert.Equal("", await _host.Engine.CreateAsync("v", asked));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Equal("one\n", await File.ReadAllTextAsync(_host.TargetOf("v") + "/a/one"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));

        // What was at the old place is in the trash, and can be had back.
        await using (var db = _host.OpenCatalog())
        {
            var left = await db.Volumes.SingleAsync(v => v.State == VolumeState.Trashed);
            Assert.StartsWith("v.moved-", left.Name, StringComparison.Ordinal);
            await DoneAsync("volume", "restore", left.Name);
            Assert.Equal(before, await SeenAsync(_host.DataOf("old/deep")));
        }

        await NothingIsLeftAsync();
    }

    /// <summary>The engine has sent its Unmount, but the container still has the volume: only the kernel knows.</summary>
    [Fact]
    public async Task A_volume_that_a_container_still_holds_is_not_moved_after_its_engine_unmounted_it()
    {
        Directory.CreateDirectory(_host.DataOf("old/deep"));
        Assert.Equal("", await _host.Engine.CreateAsync("v", new { path = "old/deep" }));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        using (await HoldingProcess.StartAsync(_host.TargetOf("v"), Path.Combine(_host.Settings.StateDirectory, "inside")))
        {
            Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
            Assert.Equal(0, await _host.CountMountRowsAsync());
            VolmanProcess.AssertRefused(
                $"volume v is in use on host test-host: a container or another mount still has {_host.DataOf("old/deep")}, stop it first", await VolmanAsync("volume", "move", "v", "--backend", "local"));
            Assert.False(Directory.Exists(_host.DataOf("v")));
        }

        await DoneAsync("volume", "move", "v", "--backend", "local");
        await NothingIsLeftAsync();
    }

    [Fact]
    public async Task The_old_place_of_a_moved_volume_waits_in_the_trash_even_when_on_remove_is_delete()
    {
        Directory.CreateDirectory(_host.DataOf("old/deep"));
        await File.WriteAllTextAsync(_host.DataOf("old/deep/f"), "data");
        Assert.Equal("", await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["path"] = "old/deep", ["on-remove"] = "delete" }));
        await DoneAsync("volume", "move", "v", "--backend", "local");
        await using var db = _host.OpenCatalog();
        var left = await db.Volumes.SingleAsync(v => v.Name != "v");
        Assert.Equal((VolumeState.Trashed, OnRemove.Trash, _host.Settings.TrashRetention), (left.State, left.OnRemove, left.PurgeAfter - left.RemovedAt));
        Assert.Equal(OnRemove.Delete, (await db.Volumes.SingleAsync(v => v.Name == "v")).OnRemove);
        await DoneAsync("volume", "restore", left.Name);
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("old/deep/f")));
    }

    /// <summary>One byte of the copy differs, as after a fault of a disk, and cp reports success.</summary>
    [Theory]
    [InlineData("move", "v", "--backend", "local")]
    [InlineData("clone", "v", "w")]
    public async Task A_copy_that_differs_from_its_source_is_discarded(params string[] command)
    {
        await _host.StopAsync();
        var programs = Directory.CreateDirectory(Path.Combine(_host.Settings.StateDirectory, "bin")).FullName;
        await File.WriteAllTextAsync(programs + "/cp", """
            #!/bin/sh
            FOLDER/real "$@" && shift $(($# - 2)) && printf X | dd of="$2/f" bs=1 seek=2 conv=notrunc 2>/dev/null && touch -r "$1/f" "$2/f"
            """.Replace("FOLDER", programs, StringComparison.Ordinal));
        File.SetUnixFileMode(programs + "/cp", UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.Copy("/usr/bin/cp", programs + "/real");
        // Programs are taken from the system's directories alone, so it has to be there, for this daemon.
        using var daemon = await DaemonProcess.StartWithinAsync(
            _host, "unshare", "--mount", "--propagation", "slave", "sh", "-c", "mount --bind \"$0\" /usr/bin/cp && exec \"$@\"", programs + "/cp");
        Directory.CreateDirectory(_host.DataOf("old/deep"));
        await File.WriteAllTextAsync(_host.DataOf("old/deep/f"), "data");
        Assert.Equal("", await _host.Engine.CreateAsync("v", new { path = "old/deep" }));
        VolmanProcess.AssertRefused(
            $"volume v was not copied to {_host.DataOf(command[0] == "move" ? "v" : "w")}, and nothing is changed: .*f.* has another content in the copy",
            await VolmanAsync(["volume", .. command]));
        Assert.Equal(["v"], await _host.Engine.ListAsync());
        Assert.Empty(Directory.GetFileSystemEntries(_host.DataOf(".trash")));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("old/deep/f")));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
    }

    /// <summary>As an engine within a container has them: of a directory that hides the one below.</summary>
    [Fact]
    public async Task Attributes_that_only_root_sees_move_along()
    {
        Directory.CreateDirectory(_host.DataOf("old/deep/hiding"));
        await Command.OutputOfAsync("python3", "-c", $"import os; os.setxattr('{_host.DataOf("old/deep/hiding")}', 'trusted.overlay.opaque', b'y')");
        Assert.Equal("", await _host.Engine.CreateAsync("v", new { path = "old/deep" }));
        await DoneAsync("volume", "move", "v", "--backend", "local");
        Assert.Equal("b'y'", await Command.OutputOfAsync("python3", "-c", $"import os; print(os.getxattr('{_host.DataOf("v/hiding")}', 'trusted.overlay.opaque'))"));
    }

    [Fact]
    public async Task A_copy_that_fails_leaves_the_volume_as_it_was_and_nothing_of_itself()
    {
        using var folder = new ScratchFolder();
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "-o", "size=8M", "tmpfs", folder.Make("data"));
        await using var host = new TestHost("small", "", folder.Of("data"));
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        await File.WriteAllBytesAsync(host.DataOf("v") + "/big", new byte[5 << 20]);
        VolmanProcess.AssertRefused(
            $"volume v was not copied to {host.DataOf("w")}, and nothing is changed: cp: .+'big'.*: No space left on device",
            await VolmanProcess.RunAsync(["volume", "clone", "v", "w", "--admin-socket", host.Settings.AdminSocket], null));
        Assert.Equal([".trash", ".volman-root", "v"], Directory.GetFileSystemEntries(host.Settings.DataRoot).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Empty(Directory.GetFileSystemEntries(host.DataOf(".trash")));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
    }

    [Fact]
    public async Task Who_stops_waiting_stops_the_copy_and_the_volume_can_be_used_again()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        await Command.OutputOfAsync("sh", "-ec", $"cd '{_host.DataOf("v")}'; for i in $(seq 20000); do : > f$i; done");
        using var waiting = VolmanProcess.Start(["volume", "clone", "v", "w", "--admin-socket", _host.Settings.AdminSocket]);
        await Poll.UntilAsync("the copy has begun", () => Directory.GetDirectories(_host.DataOf(".trash"), "*.copying").Length > 0);
        Assert.Equal("volume v is being restored or copied: try again when that is done", await _host.Engine.MountAsync("v", "x"));
        Assert.Equal("volume v is being restored or copied by a host of the cluster at this moment: try again when that is done", await _host.Engine.RemoveAsync("v"));
        await waiting.KillAsync();
        await Poll.UntilAsync("the volume can be used again", async () => await _host.Engine.MountAsync("v", "x") == "");
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        Assert.Equal(["v"], await _host.Engine.ListAsync());
        await NothingIsLeftAsync();
    }

    /// <summary>As the statements and renames of a move leave it that was cut off at that point.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_move_that_a_killed_daemon_has_left_is_taken_back_or_to_its_end(bool isSwitched)
    {
        Directory.CreateDirectory(_host.DataOf("old"));
        Assert.Equal("", await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["path"] = "old", ["on-remove"] = "trash" }));
        await File.WriteAllTextAsync(_host.DataOf("old") + "/f", "data");
        await _host.StopAsync();
        await using (var db = _host.OpenCatalog())
        {
            var volume = await db.Volumes.SingleAsync();
            var staged = _host.DataOf($".trash/v.{volume.Id:N}{(isSwitched ? "" : ".copying")}");
            Directory.CreateDirectory(staged);
            await File.WriteAllTextAsync(staged + "/f", "data");
            var left = Guid.CreateVersion7();
            // As long ago as makes it nobody's.
            var since = DateTime.UtcNow - TimeSpan.FromMinutes(10);
            await db.Volumes.ExecuteUpdateAsync(v => v.SetProperty(x => x.State, VolumeState.Restoring).SetProperty(x => x.RemovedAt, since));
            if (isSwitched)
            {
                await db.Volumes.ExecuteUpdateAsync(v => v.SetProperty(x => x.Directory, "v").SetProperty(x => x.Adopted, false));
                db.Add(volume with { Id = left, Name = "v.moved-1", State = VolumeState.Removing, RemovedAt = since });
                await db.SaveChangesAsync();
            }
        }

        await _host.StartAsync();
        await Poll.UntilAsync("the volume can be used again", async () => await _host.Engine.MountAsync("v", "x") == "");
        Assert.Equal("data", await File.ReadAllTextAsync(_host.TargetOf("v") + "/f"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        Assert.Equal(!isSwitched, Directory.Exists(_host.DataOf("old")));
        Assert.Equal(isSwitched, Directory.Exists(_host.DataOf("v")));
        if (isSwitched) await Poll.UntilAsync("the old place is in the trash", async () => (await _host.Engine.ListAsync()).Count == 1);
    }

    async Task NothingIsLeftAsync()
    {
        await using var db = _host.OpenCatalog();
        Assert.Empty(await db.Volumes.Where(v => v.State == VolumeState.Restoring || v.State == VolumeState.Removing).ToListAsync());
        Assert.Empty(Directory.GetDirectories(_host.DataOf(".trash"), "*.copying"));
    }
}
