using Microsoft.EntityFrameworkCore;
using VolumeManager.Linux;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Copies;
using VolumeManager.Tests.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Hosts;

/// <summary>
/// The power fails right after an answer. Catalog and volumes lie on two ext4 file systems, each in a file. A copy of such a file holds what the file system has written, and nothing that
/// still waits in memory. A daemon is then started on the copies. The file systems are separate and do not commit on their own, so an fsync of one cannot hide a missing fsync of the other.
/// </summary>
[Trait("Catalog", "sqlite")]
public sealed class PowerCutTests : IAsyncLifetime, IAsyncDisposable
{
    const string Mount = """mount -o loop,commit=600,noauto_da_alloc "$0.img" "$0" """;
    readonly ScratchFolder _folder = new();
    readonly TestHost _host = new();

    public async Task InitializeAsync()
    {
        _host.Settings = _host.Settings with { StateDirectory = _folder.Of("state"), DataRoot = _folder.Of("data"), ReconcileInterval = TimeSpan.FromHours(1) };
        foreach (var disk in Disks)
        {
            await Command.OutputOfAsync("sh", "-ec", $$"""mkdir "$0"; truncate -s 64M "$0.img"; mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$0.img"; {{Mount}}; rmdir "$0/lost+found" """, disk);
        }
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        _folder.Dispose();
    }

    string[] Disks => [_host.Settings.StateDirectory, _host.Settings.DataRoot];

    /// <summary>Writes everything to the disks, so that a test judges only what comes after.</summary>
    async Task SyncAsync() => await Command.OutputOfAsync("sync", ["-f", .. Disks]);

    /// <summary>Leaves the disks as the power cut leaves them at this moment. No daemon runs afterwards.</summary>
    async Task CutAsync()
    {
        await Command.OutputOfAsync("sh", ["-ec", """for disk; do cp --sparse=always "$disk.img" "$disk.cut"; done""", "sh", .. Disks]);
        await _host.StopAsync();
        _host.UnmountAll();
        foreach (var disk in Disks) await Command.OutputOfAsync("sh", "-ec", $$"""umount "$0"; mv "$0.cut" "$0.img"; {{Mount}}""", disk);
    }

    [Fact]
    public async Task New_volumes_and_their_mounts_are_there_after_a_power_cut()
    {
        string[] names = [.. Enumerable.Range(0, 10).Select(i => $"v{i}")];
        await _host.StartAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("unused", new { size = "1G" }));
        foreach (var name in names)
        {
            Assert.Equal("", await _host.Engine.CreateAsync(name, new Dictionary<string, string> { ["mode"] = "0750", ["label.of"] = name }));
            Assert.Equal("", await _host.Engine.MountAsync(name, "x"));
        }

        await CutAsync();
        foreach (var name in names)
        {
            Assert.True(Directory.Exists(_host.DataOf(name)), $"{name} has no directory");
            Assert.Equal("0:0 750", await ShellCommand.OwnerAndModeAsync(_host.DataOf(name)));
            Assert.Equal("x=1", await _host.MountRowsAsync(name));
        }

        await _host.RebootAsync();
        Assert.Equal(names.Append("unused").Order(StringComparer.Ordinal), await _host.Engine.ListAsync());
        Assert.Equal(0, await _host.CountMountRowsAsync());
        foreach (var name in names)
        {
            var status = await ClusterTests.StatusAsync(_host.Engine, name);
            Assert.Equal(("0750", name), (status.GetProperty("Options").GetProperty("mode").GetString(), status.GetProperty("Labels").GetProperty("of").GetString()));
            Assert.Equal("", await _host.Engine.MountAsync(name, "y"));
        }

        Assert.Equal("", await _host.Engine.MountAsync("unused", "y"));
    }

    [Fact]
    public async Task Removed_volumes_are_in_the_trash_as_their_rows_say_after_a_power_cut()
    {
        string[] names = [.. Enumerable.Range(0, 20).Select(i => $"v{i}")];
        await _host.StartAsync();
        foreach (var name in names) await _host.MakeAsync(name);
        await SyncAsync();
        foreach (var name in names) Assert.Equal("", await _host.Engine.RemoveAsync(name));

        await CutAsync();
        await using (var db = _host.OpenCatalog())
        {
            var trashed = await db.Volumes.Where(v => v.State == VolumeState.Trashed).ToListAsync();
            Assert.Equal(names.Order(StringComparer.Ordinal), trashed.Select(v => v.Name).Order(StringComparer.Ordinal));
            Assert.Equal(trashed.Select(v => $"{v.Name}.{v.Id:N}").Order(StringComparer.Ordinal), Directory.GetDirectories(_host.DataOf(".trash")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        }

        await _host.RebootAsync();
        Assert.Empty(await _host.Engine.ListAsync());
        using var operate = OperatorClient.Of(_host);
        foreach (var name in names) Assert.Equal("", (await operate.RestoreAsync(name)).Detail);

        await CutAsync();
        await _host.RebootAsync();
        foreach (var name in names) Assert.Equal("data of " + name, await _host.ReadAsync(name));
    }

    [Theory]
    [InlineData("w", "clone", "v", "w")]
    [InlineData("w", "clone", "v", "w", "--live")]
    [InlineData("v", "move", "v", "--backend", "local")]
    public async Task A_copied_volume_is_whole_after_a_power_cut(string copy, params string[] command)
    {
        await _host.StartAsync();
        Directory.CreateDirectory(_host.DataOf("old/deep"));
        await CopyTests.FillAsync(_host.DataOf("old/deep"));
        Assert.Equal("", await _host.Engine.CreateAsync("v", new { path = "old/deep" }));
        var before = await CopyTests.SeenAsync(_host.DataOf("old/deep"));
        await SyncAsync();
        var ended = await VolmanProcess.RunAsync(["volume", .. command, "--admin-socket", _host.Settings.AdminSocket]);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));

        await CutAsync();
        await _host.RebootAsync();
        Assert.Equal("", await _host.Engine.MountAsync(copy, "x"));
        Assert.Equal(before, await CopyTests.SeenAsync(_host.TargetOf(copy)));
        // .NET cannot delete names that are no text.
        await _host.StopAsync();
    }

    [Fact]
    public async Task A_durable_file_is_whole_after_a_power_cut()
    {
        var (changed, made) = (_folder.Of("data/changed"), _folder.Of("data/made"));
        DurableFile.Write(changed, "before");
        await SyncAsync();
        DurableFile.Write(changed, "after");
        await CutAsync();
        Assert.Equal("after", await File.ReadAllTextAsync(changed));

        DurableFile.Write(made, "made");
        await CutAsync();
        Assert.Equal("made", await File.ReadAllTextAsync(made));
    }

    /// <summary>The first start writes the ids of the host and of the data root: without them the next start would make others.</summary>
    [Fact]
    public async Task The_ids_of_host_and_data_root_are_there_after_a_power_cut()
    {
        await _host.StartAsync();
        await _host.MakeAsync("v");
        var (host, root) = (await File.ReadAllTextAsync(_folder.Of("state/host-id")), await File.ReadAllTextAsync(_folder.Of("data/.volman-root")));
        await CutAsync();
        Assert.Equal((host, root), (await File.ReadAllTextAsync(_folder.Of("state/host-id")), await File.ReadAllTextAsync(_folder.Of("data/.volman-root"))));
        Assert.StartsWith(root, await File.ReadAllTextAsync(_folder.Of("state/data-root")), StringComparison.Ordinal);
        await _host.RebootAsync();
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
    }
}
