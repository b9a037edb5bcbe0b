using VolumeManager.Linux;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Mounts;

namespace VolumeManager.Tests.Doctor;

/// <summary>Catalog against kernel: somebody mounts and unmounts behind the daemon's back.</summary>
public sealed class MountDamageTests : IAsyncLifetime
{
    TestHost Host { get; } = new();

    public async Task InitializeAsync()
    {
        await Host.StartAsync();
        Assert.Equal("", await Host.Engine.CreateAsync("v"));
        Assert.Equal("", await Host.Engine.MountAsync("v", "x"));
        await File.WriteAllTextAsync(Host.DataOf("v") + "/f", "data");
        Assert.Empty(await Host.DiagnoseAsync());
    }

    public async Task DisposeAsync() => await Host.DisposeAsync();

    [Fact]
    public async Task Unmounted_and_used_by_nobody_the_claims_are_dropped()
    {
        Assert.Equal("", await Host.Engine.MountAsync("v", "y"));
        await Command.OutputOfAsync("umount", Host.TargetOf("v"));
        await Host.HealsAsync("mount-missing", "error", $"volume v is claimed by 2 callers of this host, but is not mounted at {Host.TargetOf("v")}", "drops the claims, for no container uses it");
        Assert.Equal("", await Host.MountRowsAsync("v"));
        Assert.Equal(2, (await Host.EventsAsync("v")).Count(e => e == "reclaim"));
    }

    [Fact]
    public async Task Unmounted_and_used_by_a_container_it_is_mounted_again()
    {
        using var folder = new ScratchFolder();
        using var container = await HoldingProcess.StartAsync(Host.TargetOf("v"), folder.Of("at"));
        await Command.OutputOfAsync("umount", Host.TargetOf("v"));
        await Host.HealsAsync("mount-missing", "error", "is not mounted at", "mounts it again, for a container uses it");
        Assert.Equal(["v"], Host.KernelMounts());
        Assert.Equal("data", await File.ReadAllTextAsync(Host.TargetOf("v") + "/f"));
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task A_mount_that_nobody_claims_is_taken_down()
    {
        await MountAsync(Host.TargetOf("stray"));
        await Host.HealsAsync("mount-unclaimed", "warning", "is mounted, but no caller of this host claims a volume of that name", "unmounts it");
        Assert.Equal(["v"], Host.KernelMounts());
    }

    [Fact]
    public async Task One_in_which_somebody_works_stays()
    {
        await MountAsync(Host.TargetOf("stray"));
        using (File.Create(Host.TargetOf("stray") + "/open"))
        {
            var (repaired, left) = await Host.RepairAsync();
            Assert.Empty(repaired);
            Assert.Equal("mount-unclaimed", Assert.Single(left).Code);
        }

        Assert.Equal("mount-unclaimed", Assert.Single((await Host.RepairAsync()).Repaired).Code);
    }

    [Fact]
    public async Task Another_directory_in_the_place_of_the_volumes_own_is_replaced()
    {
        using var folder = new ScratchFolder();
        await Command.OutputOfAsync("mount", "--bind", folder.Make("other"), Host.TargetOf("v"));
        await Command.OutputOfAsync("mount", "-o", "remount,bind,nosuid,nodev", Host.TargetOf("v"));
        await Host.HealsAsync("mount-wrong", "error", $"what is mounted at {Host.TargetOf("v")} is not the directory of volume v", "mounts the volume's directory instead");
        Assert.Equal(["v"], Host.KernelMounts());
        Assert.Equal("data", await File.ReadAllTextAsync(Host.TargetOf("v") + "/f"));
        Assert.Equal("x=1", await Host.MountRowsAsync("v"));
    }

    [Fact]
    public async Task Nothing_is_unmounted_under_a_container_that_has_it()
    {
        using var folder = new ScratchFolder();
        await Command.OutputOfAsync("mount", "--bind", folder.Make("other"), Host.TargetOf("v"));
        using (await HoldingProcess.StartAsync(Host.TargetOf("v"), folder.Of("at")))
        {
            var (repaired, left) = await Host.RepairAsync();
            Assert.Empty(repaired);
            var stays = Assert.Single(left);
            Assert.Equal(("mount-wrong", $"a container uses what is mounted at {Host.TargetOf("v")} now: stop it first"), (stays.Code, stays.Failure));
            Assert.Equal(["v", "v"], Host.KernelMounts());
        }

        Assert.Equal("mount-wrong", Assert.Single((await Host.RepairAsync()).Repaired).Code);
    }

    [Fact]
    public async Task A_mount_that_allows_too_much_is_put_right()
    {
        await Command.OutputOfAsync("mount", "-o", "remount,bind,suid,dev", Host.TargetOf("v"));
        await Host.HealsAsync("mount-flags", "error", "the mount of volume v lacks nosuid or nodev", "gives it the flags");
        Assert.True(Mounter.HasFlags(MountInfo.Read().Last(m => m.MountPoint == Host.TargetOf("v")).Options, readOnly: false));
    }

    [Fact]
    public async Task What_cannot_be_a_volumes_is_told_and_left()
    {
        var place = Host.TargetOf(".hidden");
        await MountAsync(place);
        await Host.TellsAsync("mount-foreign", "warning", $"{place} lies below the mount root", $"umount {place}");
        Assert.True(Mounter.IsMounted(place));
    }

    [Fact]
    public async Task An_export_that_an_earlier_daemon_left_mounted_is_unmounted()
    {
        var place = Host.Settings.StateDirectory + "/nfs/nas-volumes-0123abcd";
        await MountAsync(place);
        await Host.HealsAsync("export-left", "note", $"an earlier daemon left the export at {place} mounted", "unmounts it");
        Assert.False(Mounter.IsMounted(place));
    }

    [Fact]
    public async Task A_container_of_which_the_catalog_knows_nothing_is_told()
    {
        using var folder = new ScratchFolder();
        using var container = await HoldingProcess.StartAsync(Host.TargetOf("v"), folder.Of("at"));
        Assert.Equal("", await Host.Engine.UnmountAsync("v", "x"));
        await Host.TellsAsync("use-unclaimed", "warning", $"has {Host.DataOf("v")}, but no caller claims volume v", "stop the container");
    }

    [Fact]
    public async Task Claims_of_an_engine_that_has_ended_are_dropped()
    {
        // The daemon wakes its own reconciler after the engine's grace, which would be first.
        await Host.StopAsync();
        Host.Settings = Host.Settings with { EngineGrace = TimeSpan.FromSeconds(2), ReconcileInterval = TimeSpan.FromHours(1) };
        await Host.StartAsync();
        using var folder = new ScratchFolder();
        using (await HoldingProcess.StartAsync(Host.TargetOf("v"), folder.Of("at")))
        {
            await Host.Engine.ActivateAsync();
            await Task.Delay(3000);
            Assert.Empty(await Host.DiagnoseAsync());
        }

        await Host.HealsAsync("claim-outdated", "warning", "volume v is claimed for an engine that has ended, and no container uses it", "drops those claims");
        Assert.Empty(Host.KernelMounts());
        Assert.Equal("", await Host.MountRowsAsync("v"));
    }

    static async Task MountAsync(string place)
    {
        Directory.CreateDirectory(place);
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "none", place);
    }
}
