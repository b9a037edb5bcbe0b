using Microsoft.Extensions.Logging.Abstractions;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Clusters;

/// <summary>
/// A host publishes its mounts of a volume while a caller claims the volume. Mounts that were read before the claim must not be written after it: they would delete the row of the claim, and
/// another host could remove the volume. A slow link to the database makes one overtake the other.
/// </summary>
[Trait("Catalog", "postgres")]
public sealed class PublishedMountsTests : IAsyncLifetime
{
    TestCluster _cluster = null!;
    StateDirectory _state = null!;
    ThisHost _host = null!;
    ClusterCatalog _catalog = null!;
    Volume _volume = null!;

    public async Task InitializeAsync()
    {
        _cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await _cluster[0].Engine.CreateAsync("v"));
        var settings = (await _cluster.AddAsync("host-1", start: false)).Settings;
        _state = StateDirectory.Open(settings.StateDirectory);
        _host = new ThisHost(_state.HostId, settings.HostName, "boot", settings.MountRoot, new EngineGeneration());
        _catalog = await ClusterCatalog.OpenAsync(settings, _state, _host, NullLoggerFactory.Instance);
        await _catalog.JoinAsync(() => { }, CancellationToken.None);
        _volume = (await _catalog.FindAsync("v", CancellationToken.None))!;
    }

    public async Task DisposeAsync()
    {
        _cluster.Links[1].Delay = TimeSpan.Zero;
        await _catalog.DisposeAsync();
        _state.Dispose();
        await _cluster.DisposeAsync();
    }

    Task<Claim> ClaimAsync() => _catalog.ClaimAsync(
        _volume,
        new Mount { VolumeId = _volume.Id, HostId = _host.Id, CallerId = "x", BootId = _host.BootId, EngineGeneration = 0, Epoch = _volume.Epoch, MountedAt = _catalog.Now, Count = 1 },
        new History(_catalog, _host.Name).Of(EventKind.Mount, _volume, "x"));

    Task<string> RowsAsync() => _cluster[0].MountRowsAsync("v");

    [Fact]
    public async Task A_claim_waits_until_the_mounts_are_published()
    {
        _cluster.Links[1].Delay = TimeSpan.FromSeconds(1);
        var publishing = _catalog.TellMountsAsync(_volume.Id, "v");
        await Task.Delay(300);
        _cluster.Links[1].Delay = TimeSpan.Zero;
        var claim = await ClaimAsync();
        await publishing;
        Assert.True(claim.Made);
        Assert.Equal("x=1", await RowsAsync());
    }

    [Fact]
    public async Task Mounts_are_not_published_while_the_answer_to_a_claim_is_under_way()
    {
        _cluster.Links[1].Delay = TimeSpan.FromSeconds(1);
        var claiming = ClaimAsync();
        await Poll.UntilAsync("the database has made the claim", async () => await RowsAsync() == "x=1");
        _cluster.Links[1].Delay = TimeSpan.Zero;
        await _catalog.TellMountsAsync(_volume.Id, "v");
        Assert.True((await claiming).Made);
        Assert.Equal("x=1", await RowsAsync());
    }
}
