using Microsoft.Extensions.Logging.Abstractions;
using VolumeManager.Catalog;
using VolumeManager.Docker;
using VolumeManager.Hosts;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Docker;

/// <summary>An engine gives up on Create and Mount after 120 s, and on every other call after 60 s (moby, daemon/volume/drivers). volman answers before that.</summary>
public class DeadlineTests
{
    [Theory]
    [InlineData(EventKind.Create, 110, 20)]
    [InlineData(EventKind.Mount, 110, 20)]
    [InlineData(EventKind.Remove, 50, 20)]
    [InlineData(EventKind.Unmount, 50, 20)]
    public void Each_call_has_a_deadline_below_the_engines_and_not_above_the_configured_one(string kind, int byDefault, int configured)
    {
        using var drain = new Drain();
        TimeSpan DeadlineWith(Settings settings) =>
            new VolumeDriverApi(new TaskCompletionSource<HostDaemon>().Task, settings, new EngineGeneration(), drain, NullLogger<VolumeDriverApi>.Instance).DeadlineOf(kind);
        Assert.Equal(TimeSpan.FromSeconds(byDefault), DeadlineWith(new Settings()));
        Assert.Equal(TimeSpan.FromSeconds(configured), DeadlineWith(new Settings { CallDeadline = TimeSpan.FromSeconds(configured) }));
    }

    /// <summary>The disk of the volumes is frozen: each call waits for it, or for a call that does.</summary>
    [FreezableDiskFact]
    public async Task Each_call_that_waits_for_a_disk_is_answered_within_its_deadline()
    {
        await using var host = new TestHost();
        var data = host.Settings.DataRoot;
        await Command.OutputOfAsync("sh", "-ec", """mkdir "$0"; truncate -s 16M "$0.img"; mkfs.ext4 -q "$0.img"; mount -o loop "$0.img" "$0" """, data);
        await host.StartAsync();
        foreach (var name in new[] { "v", "removed" }) Assert.Equal("", await host.Engine.CreateAsync(name));
        host.Settings = host.Settings with { CallDeadline = TimeSpan.FromSeconds(1) };
        await host.RestartAsync();
        await Command.OutputOfAsync("fsfreeze", "--freeze", data);
        string[] answers;
        try
        {
            List<Task<string>> calls = [host.Engine.CreateAsync("new"), host.Engine.MountAsync("v", "x"), host.Engine.RemoveAsync("removed")];
            await Poll.UntilAsync("the Mount has claimed the volume, and waits for the disk", async () => await host.CountMountRowsAsync() == 1);
            calls.Add(host.Engine.UnmountAsync("v", "x"));
            answers = await Task.WhenAll(calls).WaitAsync(TimeSpan.FromMinutes(2));
        }
        finally
        {
            await Command.OutputOfAsync("fsfreeze", "--unfreeze", data);
        }

        Assert.Equal(
            new[] { "create of volume new", "mount of volume v", "remove of volume removed", "unmount of volume v" }
                .Select(call => $"{call} did not finish within 1 s: the disk of {data} or the catalog's database does not answer; see to them, then try again"),
            answers);
    }
}
