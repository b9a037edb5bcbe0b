using System.Diagnostics;
using System.Globalization;
using VolumeManager.EndToEnd.Hosts;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>One test on a host with the plugin. It must end with <see cref="EndsCleanAsync"/>; a test that did not get there shows the logs and spoils the host for others.</summary>
internal sealed class PluginScene(PluginHost host, ITestOutputHelper output, Func<Task> spoiled) : DockerUser(host.Engine), IAsyncDisposable
{
    static int s_count;

    bool _clean;

    public PluginHost Host => host;

    public async Task BeginAsync()
    {
        if (!(await TryDockerAsync($"plugin inspect {PluginHost.Plugin}")).Succeeded)
        {
            var built = "";
            await TimeAsync("plugin/build.sh", async () => built = await host.BuildAsync("--image", PluginImage.Name, "--tag", "latest"));
            output.WriteLine(built);
            var size = built.Split('\n').Single(line => line.EndsWith(" MB", StringComparison.Ordinal)).Trim().Split(' ')[0];
            Assert.InRange(double.Parse(size, CultureInfo.InvariantCulture), 0, 150);
            await DockerAsync($"plugin set {PluginHost.Plugin}", [.. host.Settings]);
        }
        if (!await host.IsEnabledAsync())
            await DockerAsync($"plugin enable {PluginHost.Plugin}");
    }

    public async Task<string> CreateVolumeAsync()
    {
        var name = $"plugged-{Interlocked.Increment(ref s_count)}";
        await DockerAsync($"volume create --driver volman {name}");
        return name;
    }

    public string DataOf(string volume) => Path.Combine(host.Data, volume);

    public async Task TimeAsync(string what, Func<Task> act)
    {
        var clock = Stopwatch.StartNew();
        await act();
        output.WriteLine($"{what}: {clock.Elapsed.TotalSeconds:0.00} s");
    }

    public async Task IsMountedAsync(string volume, int count)
    {
        Assert.Equal(count, await Poll.ForAsync(count, () => host.Catalog.MountCountAsync(volume)));
        Assert.Equal(count > 0, await Poll.ForAsync(count > 0, () => Task.FromResult(host.KernelMounts.Contains(volume))));
    }

    /// <summary>Takes every container away, and then nothing may be in use: no row, no kernel mount. The volumes can all be removed.</summary>
    public async Task EndsCleanAsync()
    {
        await RemoveContainersAsync();
        Assert.Equal(0, await Poll.ForAsync(0, host.Catalog.MountRowsAsync));
        Assert.Equal("", await Poll.ForAsync("", () => Task.FromResult(string.Join(' ', host.KernelMounts))));
        foreach (var volume in await LinesAsync($"volume ls --quiet --filter driver={PluginHost.Driver}"))
            await DockerAsync($"volume rm {volume}");
        _clean = true;
    }

    /// <summary>Takes the host away after a test that has changed it for good. The next one gets another.</summary>
    public Task EndWithHostAsync() => spoiled();

    public async ValueTask DisposeAsync()
    {
        if (_clean)
            return;
        if (File.Exists(Path.Combine(host.State, "catalog.db")))
            output.WriteLine($"Mount rows (volume, caller, count, generation, since):\n{await host.Catalog.MountsAsync()}");
        output.WriteLine($"Kernel mounts: {string.Join(' ', host.PluginMounts)}");
        output.WriteLine($"dockerd, with volman:\n{string.Join('\n', host.Engine.Log.TakeLast(150))}");
        await spoiled();
    }
}
