using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;
using VolumeManager.Tests.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Mounts;

/// <summary>Claims of a volume whose NFS export is not mounted on this host, and cannot be: what containers have of it is not to be seen. The claim is planted, for there is no server.</summary>
public sealed class UnseenExportTests : IAsyncLifetime, IDisposable
{
    TestHost _host = null!;

    readonly RefusingPort _port = new();

    public async Task InitializeAsync()
    {
        _host = await TestHost.StartNewAsync();
        _host.Settings = _host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(50) };
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    public void Dispose() => _port.Dispose();

    /// <summary>Two volumes that are claimed and not mounted, when volman starts again: one on this host's disk, and one on the server.</summary>
    async Task PlantAsync()
    {
        foreach (var name in new[] { "near", "far" })
        {
            Assert.Equal("", await _host.Engine.CreateAsync(name));
            Assert.Equal("", await _host.Engine.MountAsync(name, "x"));
        }

        await _host.StopAsync();
        _host.UnmountAll();
        await MakeFarAsync(_host.OpenCatalog());
        if (TestHost.IsGlobal) await MakeFarAsync(_host.OpenLedger());
        await _host.StartAsync();
    }

    async Task MakeFarAsync(CatalogContext catalog)
    {
        await using var db = catalog;
        await db.Volumes.Where(v => v.Name == "far").ExecuteUpdateAsync(row => row.SetProperty(v => v.Backend, "nfs").SetProperty(v => v.Server, "127.0.0.1").SetProperty(v => v.Export, "/volumes"));
        var far = await db.Volumes.AsNoTracking().SingleAsync(v => v.Name == "far");
        db.VolumeOptions.Add(new VolumeOption { VolumeId = far.Id, Key = "nfsopts", Value = $"port={_port.Number},soft,timeo=1,retrans=0" });
        await db.SaveChangesAsync();
    }

    [Fact]
    public async Task Its_claims_stay_at_the_start_and_in_every_pass()
    {
        await PlantAsync();
        Assert.Equal(("", "x=1"), (await _host.MountRowsAsync("near"), await _host.MountRowsAsync("far")));
        // Each is dropped in a pass that has looked at the other, too; and nothing is mounted at the start, which lets the engine's generation grow.
        foreach (var caller in new[] { "one", "two" })
        {
            Assert.Equal("", await _host.Engine.MountAsync("near", caller));
            _host.UnmountAll();
            await Poll.UntilAsync("the claim of the volume near by is dropped", async () => await _host.MountRowsAsync("near") == "");
            Assert.Equal("x=1", await _host.MountRowsAsync("far"));
        }

        Assert.Contains("in use", await _host.Engine.RemoveAsync("far"));
    }

    [Fact]
    public async Task A_caller_that_comes_again_under_another_engine_leaves_the_claim_as_it_was()
    {
        await PlantAsync();
        Assert.Contains("127.0.0.1", await _host.Engine.MountAsync("far", "x"));
        Assert.Equal("x=1", await _host.MountRowsAsync("far"));
    }
}
