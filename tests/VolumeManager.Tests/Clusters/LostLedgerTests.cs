using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Mounts;

namespace VolumeManager.Tests.Clusters;

/// <summary>A host's own record of what it has mounted is gone, and its containers go on.</summary>
[Trait("Catalog", "postgres")]
public sealed class LostLedgerTests
{
    [Theory]
    [InlineData("deleted")]
    [InlineData("empty")]
    [InlineData("of before the boot")]
    public async Task What_this_boot_has_mounted_is_taken_from_the_catalog(string ledger)
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, TimeSpan.FromSeconds(3));
        var (host, other) = (cluster[0], cluster[1]);
        await host.StopAsync();
        var kept = await File.ReadAllBytesAsync(Ledger(host));
        await host.RebootAsync();
        await host.Engine.ActivateAsync();
        Assert.Equal("", await host.Engine.CreateAsync("shared"));
        Assert.Equal("", await host.Engine.CreateAsync("single", new { access = "single-host" }));
        foreach (var volume in new[] { "shared", "single" })
        {
            Assert.Equal("", await host.Engine.MountAsync(volume, "x"));
            Assert.Equal("", await host.Engine.MountAsync(volume, "x"));
        }

        using var folder = new ScratchFolder();
        using var container = await HoldingProcess.StartAsync(host.TargetOf("shared"), folder.Make("container"));
        await host.StopAsync();
        foreach (var file in Directory.GetFiles(host.Settings.StateDirectory, "ledger.db*")) File.Delete(file);
        if (ledger == "empty") await File.WriteAllBytesAsync(Ledger(host), []);
        if (ledger == "of before the boot") await File.WriteAllBytesAsync(Ledger(host), kept);
        await host.StartAsync();
        await Poll.UntilAsync("it has joined", () => cluster.ScalarAsync<bool>("SELECT state = 'live' AND instance_id IS NOT NULL AND lease_expires_at > now() FROM hosts WHERE name = 'host-0'"));
        // Several passes: what is not known is unmounted by the first.
        await Task.Delay(host.Settings.ReconcileInterval * 5);

        Assert.Equal(["shared", "single"], host.KernelMounts());
        Assert.Equal("x=2", await host.MountRowsAsync("shared"));
        Assert.Equal("x=2", await host.MountRowsAsync("single"));
        Assert.Contains("in use", await other.Engine.RemoveAsync("shared"), StringComparison.Ordinal);
        Assert.Contains("single-host", await other.Engine.MountAsync("single", "y"), StringComparison.Ordinal);

        // The ledger has them again, without the catalog's help.
        await host.RestartAsync();
        foreach (var volume in new[] { "shared", "single" })
        {
            Assert.Equal("", await host.Engine.UnmountAsync(volume, "x"));
            Assert.Contains(volume, host.KernelMounts());
            Assert.Equal("", await host.Engine.UnmountAsync(volume, "x"));
        }

        Assert.Empty(host.KernelMounts());
        Assert.Equal(0, await host.CountMountRowsAsync());
    }

    [Fact]
    public async Task While_the_catalog_is_away_too_nothing_is_unmounted_that_a_container_has()
    {
        await using var cluster = await TestCluster.StartQuickAsync(2, TimeSpan.FromSeconds(3));
        var host = cluster[0];
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        using var folder = new ScratchFolder();
        using var container = await HoldingProcess.StartAsync(host.TargetOf("v"), folder.Make("container"));
        await cluster.CutAsync(0);
        await host.StopAsync();
        foreach (var file in Directory.GetFiles(host.Settings.StateDirectory, "ledger.db*")) File.Delete(file);
        await host.StartAsync();
        await Task.Delay(host.Settings.ReconcileInterval * 5);
        Assert.Equal(["v"], host.KernelMounts());

        // Nor when it starts once more before it could ask the catalog.
        await host.RestartAsync();
        await cluster.HealAsync(0);
        await Poll.UntilAsync("the claim is known again", async () => (await host.Engine.GetAsync("v")).Body.Contains("\"Callers\":\"1\"", StringComparison.Ordinal));
        Assert.Equal(["v"], host.KernelMounts());
        Assert.Equal("x=1", await host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task A_damaged_ledger_is_named_with_its_cure()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await cluster[0].StopAsync();
        await File.WriteAllTextAsync(Ledger(cluster[0]), string.Concat(Enumerable.Repeat("this is no database ", 1000)));
        var refused = await Assert.ThrowsAsync<VolumeException>(cluster[0].StartAsync);
        Assert.Matches($"^{Ledger(cluster[0])} cannot be opened \\(.*\\): move it away with its -wal and -shm, then start again: ", refused.Message);
    }

    static string Ledger(TestHost host) => Path.Combine(host.Settings.StateDirectory, "ledger.db");
}
