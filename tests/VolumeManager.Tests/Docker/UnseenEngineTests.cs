using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>A container without the host's process ids: what other containers do cannot be seen, so nothing that they may hold is removed.</summary>
public sealed class UnseenEngineTests
{
    [Fact]
    public async Task What_a_daemon_cannot_see_it_takes_for_held()
    {
        await using var host = new TestHost();
        using var daemon = await DaemonProcess.StartContainedAsync(host);
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Contains("the engine's processes cannot be seen from here", await host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
        Assert.Equal("", (await host.Engine.GetAsync("v")).Err);
        using var asks = OperatorClient.Of(host);
        var warnings = (await asks.SendAsync("GET", "/v1/status")).Json.GetProperty("warnings").EnumerateArray().Select(w => w.GetString()).ToList();
        Assert.Contains(warnings, w => w!.Contains("--pid=host", StringComparison.Ordinal));
    }
}
