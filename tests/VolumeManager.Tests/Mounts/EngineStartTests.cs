using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Mounts;

/// <summary>What becomes of an engine's claims when the next engine starts.</summary>
public sealed class EngineStartTests : IAsyncLifetime, IAsyncDisposable
{
    readonly TestHost _host = new();

    public async Task InitializeAsync()
    {
        await _host.PrepareAsync();
        _host.Settings = _host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(50) };
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync() => await _host.DisposeAsync();

    async Task MountAsync()
    {
        await _host.StartAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
    }

    Task<RunningProgram> HoldAsync() => HoldingProcess.StartAsync(_host.TargetOf("v"), Path.Combine(_host.Settings.StateDirectory, "inside"));

    async Task<long> GenerationAsync()
    {
        await using var db = _host.OpenCatalog();
        return (await db.Mounts.AsNoTracking().SingleAsync()).EngineGeneration;
    }

    Task DroppedAsync() => Poll.UntilAsync("the claim ends with its container", async () => await _host.CountMountRowsAsync() == 0 && _host.KernelMounts().Count == 0);

    /// <summary>Waits for a whole pass of the reconciler. A pass takes unclaimed mounts down last, so a whole one lies between the ends of two such mounts, the second of which is made after the first is gone.</summary>
    async Task ReconcilerPassesAsync()
    {
        for (var i = 0; i < 2; i++)
        {
            // The reconciler may remove the empty directory before something is mounted on it.
            await Poll.UntilAsync("a mount nobody claims is made", async () =>
            {
                var unclaimed = Directory.CreateDirectory(_host.TargetOf("unclaimed")).FullName;
                return (await Command.RunAsync(Poll.Patience, "mount", "--bind", unclaimed, unclaimed)).Succeeded;
            });
            await Poll.UntilAsync("the unclaimed mount is taken down", () => !_host.KernelMounts().Contains("unclaimed"));
        }
    }

    [Fact]
    public async Task Claims_of_the_engine_before_are_kept_until_the_grace_is_over()
    {
        _host.Settings = _host.Settings with { EngineGrace = TimeSpan.FromHours(1) };
        await MountAsync();
        await _host.Engine.ActivateAsync();
        await ReconcilerPassesAsync();
        Assert.Equal("x=1", await _host.MountRowsAsync("v"));
        Assert.Equal(["v"], _host.KernelMounts());
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
    }

    /// <summary>The engine that made the first claim has ended, and does not send the last Unmount.</summary>
    [Fact]
    public async Task A_claim_that_the_next_engine_repeats_stays_the_first_engines_and_ends_with_its_container()
    {
        await MountAsync();
        var generation = await GenerationAsync();
        using (await HoldAsync())
        {
            await _host.Engine.ActivateAsync();
            Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
            Assert.Equal("x=2", await _host.MountRowsAsync("v"));
            Assert.Equal(generation, await GenerationAsync());
        }

        await DroppedAsync();
    }

    /// <summary>An engine takes the mounts down when its managed plugin is disabled by force. It cannot send the Unmount of containers that end meanwhile.</summary>
    [Fact]
    public async Task Claims_whose_mount_was_taken_down_while_the_daemon_was_stopped_end_with_their_container()
    {
        await MountAsync();
        using (await HoldAsync())
        {
            await _host.StopAsync();
            _host.UnmountAll();
            await _host.StartAsync();
            await Poll.UntilAsync("the volume is mounted again for its container", () => _host.KernelMounts() is ["v"]);
            Assert.Equal("x=1", await _host.MountRowsAsync("v"));
        }

        await DroppedAsync();
    }
}
