using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Doctor;

/// <summary>Somebody edits the catalog's rows by hand while the daemon runs.</summary>
public sealed class RowDamageTests : IAsyncLifetime
{
    TestHost Host { get; } = new();

    public async Task InitializeAsync()
    {
        await Host.StartAsync();
        Assert.Equal("", await Host.Engine.CreateAsync("v"));
        Assert.Equal("", await Host.Engine.MountAsync("v", "x"));
        Assert.Empty(await Host.DiagnoseAsync());
    }

    public async Task DisposeAsync() => await Host.DisposeAsync();

    async Task<string> ShowAsync(string volume, string key)
    {
        using var asks = OperatorClient.Of(Host);
        return (await asks.SendAsync("GET", $"/v1/volumes/{volume}")).Json.GetProperty(key).ToString();
    }

    [Fact]
    public async Task A_row_that_leads_outside_is_told_and_what_is_mounted_stays_until_its_Unmount()
    {
        await Host.EditAsync(TestHost.IsGlobal ? "ALTER TABLE volumes DROP CONSTRAINT \"CK_volumes_directory\"" : "SELECT 1");
        await Host.EditAsync("UPDATE catalog SET revision = revision + 1");
        Assert.Equal(1, await Host.EditAsync("UPDATE volumes SET directory = '../x', revision = (SELECT revision FROM catalog)"));
        var found = Assert.Single(await Host.FindAllAsync("row-invalid", "error"));
        Assert.Matches("^the row [0-9a-f-]{36} of the table volumes is not valid: its directory is \"../x\"$", found.Problem);
        Assert.Equal(["v"], Host.KernelMounts());
        if (TestHost.IsGlobal) Assert.Contains("cannot be used", await Host.Engine.MountAsync("v", "y"), StringComparison.Ordinal);
        Assert.Equal("", await Host.Engine.UnmountAsync("v", "x"));
        Assert.Empty(Host.KernelMounts());
    }

    [Fact]
    public async Task A_claim_that_was_deleted_is_written_again()
    {
        Assert.Equal(1, await Host.EditAsync("DELETE FROM mounts"));
        await Host.HealsAsync("claims-differ", "error", "the catalog has 0 claims of this host of volume v, and this host knows of 1 claim: it could be removed while it is in use", "writes into the catalog what this host knows");
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
        Assert.Equal(["v"], Host.KernelMounts());
    }

    [Fact]
    public async Task A_claim_that_was_invented_is_deleted()
    {
        Assert.Equal(1, await Host.EditAsync("INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch) SELECT volume_id, host_id, 'ghost', 1, boot_id, engine_generation, mounted_at, epoch FROM mounts"));
        await Host.HealsAsync("claims-differ", "error", "the catalog has 2 claims of this host of volume v, and this host knows of 1 claim: it cannot be removed although it could", "writes into the catalog");
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task Another_count_boot_or_generation_is_put_right()
    {
        Assert.Equal(1, await Host.EditAsync("UPDATE mounts SET count = 7, boot_id = 'earlier', engine_generation = 99"));
        await Host.HealsAsync("claims-differ", "error", "the catalog has 1 claim of this host of volume v, and this host knows of 1 claim that are others", "writes into the catalog");
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task A_volume_that_was_changed_is_taken_as_the_catalog_has_it()
    {
        Assert.Equal(1, await Host.EditAsync("UPDATE volumes SET access = 'read-only', size_bytes = 4096 WHERE name = 'v'"));
        var found = await Host.FindAllAsync("volume-differs", "error");
        Assert.Contains(found, f => f.Problem.EndsWith("access is ReadOnly there and Shared here, size is 4096 there and none here", StringComparison.Ordinal));
        var (repaired, left) = await Host.RepairAsync();
        Assert.Contains(repaired, f => f.Code == "volume-differs");
        // Now it is known to be read-only, and is mounted otherwise.
        Assert.Equal("mount-flags", Assert.Single(left, f => f.Severity != "note").Code);
        Assert.Equal("mount-flags", Assert.Single((await Host.RepairAsync()).Repaired).Code);
        Assert.Equal("4096", await ShowAsync("v", "size_bytes"));
        Assert.Throws<IOException>(() => File.WriteAllText(Host.TargetOf("v") + "/f", ""));
    }

    [Fact]
    public async Task A_volume_that_was_deleted_is_forgotten()
    {
        Assert.Equal("", await Host.Engine.CreateAsync("w"));
        Assert.Equal(1, await Host.EditAsync("DELETE FROM volumes WHERE name = 'w'"));
        var found = await Host.DiagnoseAsync();
        // In a cluster whoever asks for the volume hears it from the database, and another check does.
        if (!TestHost.IsGlobal) Assert.Contains(found, f => f.Code == "volume-differs" && f.Problem.EndsWith("the catalog has no such volume any more", StringComparison.Ordinal));
        await Host.RepairAsync();
        Assert.Equal(["v"], await Host.Engine.ListAsync());
        Assert.True(Directory.Exists(Host.DataOf("w")));
        await Host.TellsAsync("directory-unknown", "warning", $"{Host.DataOf("w")} is the directory of no volume", "volman volume adopt");
    }

    [Fact]
    public async Task A_removal_that_nobody_ends_is_ended()
    {
        Assert.Equal("", await Host.Engine.CreateAsync("w"));
        await using (var db = Host.OpenCatalog())
        {
            var before = DateTime.UtcNow.AddHours(-1);
            Assert.Equal(1, await db.Database.ExecuteSqlAsync($"UPDATE volumes SET state = 'removing', removed_at = {before} WHERE name = 'w'"));
        }

        // In a cluster the host hears of that by asking, for the row is younger than the last heartbeat: what it sees then is no difference any more.
        if (!TestHost.IsGlobal) Assert.Equal("volume-differs", Assert.Single((await Host.RepairAsync()).Repaired).Code);
        else await Poll.UntilAsync("it is found", async () => (await Host.DiagnoseAsync()).Any(f => f.Code == "removal-unfinished"));
        var unfinished = await Host.FindOneAsync("removal-unfinished", "warning");
        Assert.StartsWith("volume w has been removing since ", unfinished.Problem, StringComparison.Ordinal);
        var (repaired, left) = await Host.RepairAsync();
        Assert.Equal("removal-unfinished", Assert.Single(repaired).Code);
        Assert.Empty(left);
        Assert.False(Directory.Exists(Host.DataOf("w")));
        using var asks = OperatorClient.Of(Host);
        Assert.Equal("w", Assert.Single(await asks.TrashAsync()).GetProperty("name").GetString());
    }

    [Fact]
    public async Task A_restoration_that_nobody_ends_is_ended()
    {
        Assert.Equal("", await Host.Engine.CreateAsync("w"));
        Assert.Equal("", await Host.Engine.MountAsync("w", "x"));
        await File.WriteAllTextAsync(Host.TargetOf("w") + "/f", "data");
        Assert.Equal("", await Host.Engine.UnmountAsync("w", "x"));
        Assert.Equal("", await Host.Engine.RemoveAsync("w"));
        await using (var db = Host.OpenCatalog())
        {
            var before = DateTime.UtcNow.AddHours(-1);
            Assert.Equal(1, await db.Database.ExecuteSqlAsync($"UPDATE volumes SET state = 'restoring', removed_at = {before} WHERE name = 'w'"));
        }

        // As with a removal.
        if (!TestHost.IsGlobal) Assert.Equal("volume-differs", Assert.Single((await Host.RepairAsync()).Repaired).Code);
        else await Poll.UntilAsync("it is found", async () => (await Host.DiagnoseAsync()).Any(f => f.Code == "restore-unfinished"));
        await Host.HealsAsync("restore-unfinished", "warning", "volume w has been restoring since ", "takes it to its end");
        Assert.Equal("", await Host.Engine.MountAsync("w", "x"));
        Assert.Equal("data", await File.ReadAllTextAsync(Host.TargetOf("w") + "/f"));
        using var asks = OperatorClient.Of(Host);
        Assert.Empty(await asks.TrashAsync());
    }
}
