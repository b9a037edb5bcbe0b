using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Xunit.Abstractions;

namespace VolumeManager.Tests.Hosts;

/// <summary>The daemon is killed with SIGKILL at random moments of a thousand Creates and Mounts: what it acknowledged is there afterwards, and nothing is half there.</summary>
public sealed class CrashTests(ITestOutputHelper output)
{
    const int Volumes = 500;
    const int Workers = 4;

    [Fact]
    public async Task Every_acknowledged_create_and_mount_survives_and_none_is_half_there()
    {
        await using var host = new TestHost();
        var created = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        var mounted = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        var next = 0;
        var kills = 0;
        var seed = Environment.TickCount;
        var random = new Random(seed);
        while (next < Volumes)
        {
            using var daemon = await DaemonProcess.StartAsync(host);
            await CheckAsync(host, created, mounted);
            using var stop = new CancellationTokenSource();
            var work = Task.WhenAll(Enumerable.Range(0, Workers).Select(_ => WorkAsync(host.Engine, () => Interlocked.Increment(ref next), created, mounted, stop.Token)));
            // By work, not by time: a busy machine does little in a second.
            for (var until = next + random.Next(20, 160); !work.IsCompleted && Volatile.Read(ref next) < until;) await Task.Delay(1);
            await daemon.KillAsync();
            await stop.CancelAsync();
            await work;
            kills++;
        }

        using var last = await DaemonProcess.StartAsync(host);
        await CheckAsync(host, created, mounted);
        output.WriteLine($"seed {seed}: {kills} kills, {created.Count} creates and {mounted.Count} mounts acknowledged");
        Assert.True(kills >= 3, $"the daemon was killed {kills} times only");
        Assert.NotEmpty(mounted);
        foreach (var name in await host.Engine.ListAsync())
        {
            foreach (var row in (await host.MountRowsAsync(name)).Split(' ', StringSplitOptions.RemoveEmptyEntries)) await host.Engine.UnmountAsync(name, row.Split('=')[0]);
            Assert.Equal("", await host.Engine.RemoveAsync(name));
        }

        Assert.Empty(host.KernelMounts());
    }

    static async Task WorkAsync(
        PluginClient engine, Func<int> next, ConcurrentDictionary<string, bool> created, ConcurrentDictionary<string, bool> mounted, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var name = $"v{next()}";
            try
            {
                if (await engine.CallAsync("/VolumeDriver.Create", $$$"""{"Name":"{{{name}}}","Opts":{"label.of":"{{{name}}}","mode":"0750"}}""") is not { Aborted: false, Err: "" }) continue;
                created[name] = true;
                if (await engine.CallAsync("/VolumeDriver.Mount", $$"""{"Name":"{{name}}","ID":"id-{{name}}"}""") is { Aborted: false, Err: "" }) mounted[name] = true;
            }
            catch (System.Net.Sockets.SocketException)
            {
                return;
            }
        }
    }

    static async Task CheckAsync(TestHost host, ConcurrentDictionary<string, bool> created, ConcurrentDictionary<string, bool> mounted)
    {
        var listed = (await host.Engine.ListAsync()).ToHashSet(StringComparer.Ordinal);
        Assert.Equal([], created.Keys.Where(name => !listed.Contains(name)));
        var kernel = host.KernelMounts().ToHashSet(StringComparer.Ordinal);
        Assert.Equal([], mounted.Keys.Where(name => !kernel.Contains(name)));

        await using var db = host.OpenCatalog();
        var labels = await db.VolumeLabels.ToDictionaryAsync(l => l.VolumeId, l => l.Value);
        foreach (var volume in await db.Volumes.AsNoTracking().ToListAsync())
        {
            Assert.Equal(volume.Name, labels[volume.Id]);
            if (!created.ContainsKey(volume.Name)) continue;
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute,
                File.GetUnixFileMode(host.DataOf(volume.Name)));
        }

        // A claim without a kernel mount, or a kernel mount without a claim, is what a kill may leave and the start must mend.
        var claimed = await (from m in db.Mounts join v in db.Volumes on m.VolumeId equals v.Id select v.Name).ToListAsync();
        Assert.Equal([], claimed.Except(kernel, StringComparer.Ordinal));
        await Poll.UntilAsync("kernel mounts without a claim are taken down", () => host.KernelMounts().All(claimed.Contains));
        // A directory without a row is empty, and another Create takes it.
        foreach (var orphan in Directory.GetDirectories(host.Settings.DataRoot, "v*").Select(Path.GetFileName).Except(listed)) Assert.Empty(Directory.GetFileSystemEntries(host.DataOf(orphan!)));
    }
}
