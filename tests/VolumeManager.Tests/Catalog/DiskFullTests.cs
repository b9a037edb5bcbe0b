using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Catalog;

/// <summary>The disk of the catalog is full: an error says so, nothing is half there, and all is well once there is space.</summary>
[Trait("Catalog", "sqlite")]
public sealed class DiskFullTests
{
    [Fact]
    public async Task A_full_disk_is_told_and_nothing_is_half_written()
    {
        await using var host = new TestHost();
        Directory.CreateDirectory(host.Settings.StateDirectory);
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "-o", "size=2m", "none", host.Settings.StateDirectory);
        host.Settings = host.Settings with { ReconcileInterval = TimeSpan.FromMilliseconds(100) };
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("before"));
        Assert.Equal("", await host.Engine.MountAsync("before", "x"));
        var ballast = Path.Combine(host.Settings.StateDirectory, "ballast");
        Fill(ballast);

        var error = "";
        var created = new List<string> { "before" };
        for (var i = 0; error.Length == 0 && i < 500; i++)
        {
            error = await host.Engine.CreateAsync($"v{i}");
            if (error.Length == 0) created.Add($"v{i}");
        }

        Assert.Matches("the catalog cannot be written .*(full|disk I/O).*: nothing was changed; free space", error);
        Assert.Equal(created.Order(StringComparer.Ordinal), await host.Engine.ListAsync());
        Assert.Equal(created.Count, Directory.GetDirectories(host.Settings.DataRoot, "*").Count(d => !d.EndsWith(".trash", StringComparison.Ordinal)));

        // The container has ended: its volume is unmounted, and the release is written down now or when it can be.
        Assert.Equal("", await host.Engine.UnmountAsync("before", "x"));
        Assert.Empty(host.KernelMounts());

        File.Delete(ballast);
        Assert.Equal("", await host.Engine.CreateAsync("after"));
        await Poll.UntilAsync("the release is written down", async () => await host.CountMountRowsAsync() == 0);
        await host.RestartAsync();
        Assert.Equal(created.Append("after").Order(StringComparer.Ordinal), await host.Engine.ListAsync());
        Assert.Empty(host.KernelMounts());
        await host.StopAsync();
    }

    /// <summary>An Unmount cannot be written, and then the same caller mounts the volume again: the release is older than the mount, and must be written first.</summary>
    [Fact]
    public async Task A_release_that_waited_for_space_keeps_a_later_mount_of_the_same_caller()
    {
        await using var host = new TestHost();
        Directory.CreateDirectory(host.Settings.StateDirectory);
        await Command.OutputOfAsync("mount", "-t", "tmpfs", "-o", "size=2m", "none", host.Settings.StateDirectory);
        // A pass of the reconciler between the end of the shortage and the Mount would write the release first, and the test would prove nothing.
        host.Settings = host.Settings with { ReconcileInterval = TimeSpan.FromSeconds(2) };
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        for (var i = 0; i < 20; i++) Assert.Equal("", await host.Engine.MountAsync("v", $"x{i}"));
        var ballast = Path.Combine(host.Settings.StateDirectory, "ballast");
        Fill(ballast);
        async Task<bool> IsThereAsync(int caller) => (await host.MountRowsAsync("v")).Split(' ').Contains($"x{caller}=1");
        // The journal may have room for some releases.
        var released = -1;
        do
        {
            Assert.InRange(++released, 0, 19);
            Assert.Equal("", await host.Engine.UnmountAsync("v", $"x{released}"));
        }
        while (!await IsThereAsync(released));

        File.Delete(ballast);
        Assert.Equal("", await host.Engine.MountAsync("v", $"x{released}"));
        await Poll.UntilAsync("the release is written", async () => (await host.EventsAsync("v")).Count(e => e == "unmount") == released + 1);
        Assert.True(await IsThereAsync(released));
        await host.StopAsync();
    }

    static void Fill(string path)
    {
        using var file = File.Create(path);
        var block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
                file.Flush();
            }
        }
        catch (IOException)
        {
            // Full, as it should be.
        }
    }
}
