using System.Net.Sockets;
using VolumeManager.Catalog;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Doctor;

/// <summary>Sockets, disks and the database itself.</summary>
public sealed class SetUpDamageTests : IAsyncLifetime
{
    const UnixFileMode Owner = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    TestHost Host { get; } = new();

    string HostFile => Path.Combine(Host.Settings.StateDirectory, TestHost.IsGlobal ? "ledger.db" : "catalog.db");

    public async Task InitializeAsync()
    {
        await Host.StartAsync();
        Assert.Empty(await Host.DiagnoseAsync());
    }

    public async Task DisposeAsync() => await Host.DisposeAsync();

    [Fact]
    public async Task A_socket_that_somebody_removed_is_told()
    {
        File.Delete(Host.Settings.Socket);
        await Host.TellsAsync("socket-missing", "error", $"the socket {Host.Settings.Socket} was removed under the daemon", "start volman again");
    }

    [Fact]
    public async Task A_socket_that_others_may_open_is_closed()
    {
        File.SetUnixFileMode(Host.Settings.Socket, Owner | UnixFileMode.OtherRead | UnixFileMode.OtherWrite);
        await Host.HealsAsync("socket-open", "error", "others than root may connect to", "lets root alone connect");
        Assert.Equal(Owner, File.GetUnixFileMode(Host.Settings.Socket));
    }

    [Fact]
    public async Task A_directory_of_sockets_that_others_may_write_to_is_closed()
    {
        var directory = Path.GetDirectoryName(Host.Settings.Socket)!;
        File.SetUnixFileMode(directory, File.GetUnixFileMode(directory) | UnixFileMode.OtherWrite | UnixFileMode.GroupRead);
        await Host.HealsAsync("plugin-directory", "error", $"others than root may write to {directory}", "takes that right away");
        Assert.Equal(UnixFileMode.GroupRead, File.GetUnixFileMode(directory) & ~(Owner | UnixFileMode.UserExecute));
    }

    [Fact]
    public async Task A_socket_that_nobody_answers_is_told()
    {
        var path = Path.Combine(Path.GetDirectoryName(Host.Settings.Socket)!, "dead.sock");
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)) socket.Bind(new UnixDomainSocketEndPoint(path));
        // The framework deletes the file of a socket that it closes, as a program that is killed does not.
        if (!File.Exists(path)) await Command.OutputOfAsync("python3", "-c", $"import socket; socket.socket(socket.AF_UNIX).bind('{path}')");
        await Host.TellsAsync("socket-dead", "warning", $"nobody answers at {path}", "remove the file");
    }

    [Fact]
    public async Task A_disk_that_is_nearly_full_is_told_before_it_is()
    {
        using var folder = new ScratchFolder();
        await using var host = new TestHost();
        host.Settings = host.Settings with { DataRoot = folder.Make("small") };
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "none", host.Settings.DataRoot);
        await host.StartAsync();
        Assert.Empty(await host.DiagnoseAsync());
        Assert.Equal("", await host.Engine.CreateAsync("big"));
        await File.WriteAllBytesAsync(host.DataOf("big") + "/f", new byte[(4 << 20) - (150 << 10)]);
        await host.TellsAsync("space-low", "warning", $"the disk of {host.Settings.DataRoot} has 0 MiB of 4 MiB", "free some");
        await File.WriteAllBytesAsync(host.DataOf("big") + "/g", new byte[130 << 10]);
        await host.TellsAsync("space-low", "error", $"the disk of {host.Settings.DataRoot} has", "free some");
        await host.StopAsync();
    }

    [Fact]
    public async Task An_index_that_somebody_dropped_is_made_anew()
    {
        await Host.EditAsync("DROP INDEX \"IX_volumes_name\"");
        await Host.HealsAsync("index-missing", "error", "the index IX_volumes_name of", "makes it anew");
        await Host.EditAsync("DROP INDEX \"IX_volumes_name\"");
    }

    [Fact]
    public async Task One_that_cannot_be_made_says_why()
    {
        await Host.EditAsync("DROP INDEX \"IX_volumes_name\"");
        Assert.Equal("", await Host.Engine.CreateAsync("v"));
        const string columns = "name, backend, server, export, adopted, access, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, revision";
        Assert.Equal(1, await Host.EditAsync($"INSERT INTO volumes (id, directory, {columns}) SELECT '{Guid.NewGuid().ToString().ToUpperInvariant()}', 'elsewhere', {columns} FROM volumes"));
        var failed = Assert.Single((await Host.RepairAsync("""{"codes": ["index-missing"]}""")).Left, f => f.Code == "index-missing");
        Assert.Matches("UNIQUE constraint failed|could not create unique index", failed.Failure!);
    }

    [GlobalFact]
    public async Task An_index_that_was_not_built_to_its_end_is_built()
    {
        Assert.Equal(1, await Host.EditAsync("UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = '\"IX_events_volume_id\"'::regclass"));
        await Host.HealsAsync("index-invalid", "error", "was not built to its end, and is not used", "makes it anew");
    }

    [Fact]
    public async Task Rows_of_volumes_that_are_no_more_are_deleted()
    {
        using (var db = SqliteCatalog.Open(HostFile))
        {
            await db.ExecuteAsync($"PRAGMA foreign_keys = OFF");
            await db.ExecuteAsync($"INSERT INTO volume_labels (volume_id, key, value) VALUES ('no-volume', 'a', 'b')");
        }

        await Host.HealsAsync("row-stray", "warning", $"1 rows of the table volume_labels in {HostFile} belong to nothing that is there", "deletes them");
    }

    [Fact]
    public async Task A_damaged_file_is_told()
    {
        // One that its daemon has left: nobody writes into it meanwhile.
        await Host.StopAsync();
        using (var db = SqliteCatalog.Open(HostFile)) await db.ExecuteAsync($"PRAGMA wal_checkpoint(TRUNCATE)");
        Assert.DoesNotContain(await Host.DiagnoseAloneAsync(), f => f.Code == "catalog-damaged");
        var bytes = await File.ReadAllBytesAsync(HostFile);
        Random.Shared.NextBytes(bytes.AsSpan(4096, bytes.Length / 2));
        await File.WriteAllBytesAsync(HostFile, bytes);
        var found = Assert.Single(await Host.FindAloneAsync("catalog-damaged", "error"));
        Assert.StartsWith($"{HostFile} is damaged (", found.Problem, StringComparison.Ordinal);
        Assert.False(found.Repairable);
    }

    [Fact, Trait("Catalog", "sqlite")]
    public async Task A_check_that_cannot_be_made_is_told_and_the_others_go_on()
    {
        await Host.EditAsync("ALTER TABLE mounts RENAME TO mounts_of_old");
        File.Delete(Host.Settings.Socket);
        var failed = Assert.Single(await Host.FindAllAsync("check-failed", "warning"));
        Assert.Equal(("the catalog's rows", false), (failed.Subject, failed.Repairable));
        Assert.Matches(@"^the catalog's rows cannot be looked at \(.*no such table: mounts", failed.Problem);
        Assert.Equal(["check-failed", "socket-missing"], (await Host.DiagnoseAsync()).Select(f => f.Code).Order(StringComparer.Ordinal));
        await Host.EditAsync("ALTER TABLE mounts_of_old RENAME TO mounts");
        Assert.Equal("socket-missing", Assert.Single(await Host.DiagnoseAsync()).Code);
    }

    [Theory]
    [InlineData("0755")]
    [InlineData("1777")]
    public async Task A_data_root_that_others_may_enter_is_told(string mode)
    {
        File.SetUnixFileMode(Host.Settings.DataRoot, (UnixFileMode)Convert.ToInt32(mode, 8));
        await Host.TellsAsync("root-open", "warning", $"other users of this host may enter {Host.Settings.DataRoot}", $"chmod 0700 {Host.Settings.DataRoot}");
        // What earlier versions have made is closed without a word.
        File.SetUnixFileMode(Host.Settings.DataRoot, (UnixFileMode)Convert.ToInt32("711", 8));
        Assert.Empty(await Host.DiagnoseAsync());
        Assert.Equal("0:0 700", await ShellCommand.OwnerAndModeAsync(Host.Settings.DataRoot));
    }

    [Fact]
    public async Task A_size_that_nothing_enforces_is_a_note()
    {
        using var folder = new ScratchFolder();
        await using var host = new TestHost();
        host.Settings = host.Settings with { DataRoot = folder.Make("data") };
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "-o", "mode=0700", "none", host.Settings.DataRoot);
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v", new Dictionary<string, string> { ["size"] = "4M" }));
        await host.TellsAsync("size-unenforced", "note", "the size of volume v is not enforced", $"the file system of {host.Settings.DataRoot} has no project quotas");
        await host.StopAsync();
    }

    [Fact]
    public async Task Mounts_that_the_engine_would_not_see_are_told()
    {
        await Host.StopAsync();
        // As a unit with PrivateTmp or ProtectSystem has it.
        using var daemon = await DaemonProcess.StartWithinAsync(Host, "unshare", "--mount", "--propagation", "private");
        var found = Assert.Single(await Host.FindAllAsync("mounts-unseen", "warning"));
        Assert.StartsWith($"what is mounted under {Host.Settings.MountRoot} is not seen by process 1", found.Problem, StringComparison.Ordinal);
        Assert.Contains("run volman without PrivateTmp, ProtectSystem or other private mounts", found.Cure, StringComparison.Ordinal);
        Assert.False(found.Repairable);
    }

    [Fact]
    public async Task Containers_that_cannot_be_seen_are_told()
    {
        await Host.StopAsync();
        using var daemon = await DaemonProcess.StartContainedAsync(Host);
        var found = Assert.Single(await Host.FindAllAsync("containers-unseen", "warning"));
        Assert.StartsWith("the engine's processes cannot be seen from here", found.Problem, StringComparison.Ordinal);
        Assert.Contains("--pid=host", found.Cure, StringComparison.Ordinal);
        Assert.False(found.Repairable);
    }
}

/// <summary>Only where hosts have PostgreSQL.</summary>
public sealed class GlobalFactAttribute : FactAttribute
{
    public GlobalFactAttribute()
    {
        if (!TestHost.IsGlobal) Skip = "is of PostgreSQL: VOLMAN_TEST_SCOPE=global runs it";
    }
}
