using System.Diagnostics;
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
        await host.PrepareAsync();
        // As in a container without --pid=host, but under an init, as of docker run --init: volman is not process 1.
        var daemon = DaemonProcess.Command(host);
        var init = host.Settings.Socket + ".d/docker-init";
        Directory.CreateDirectory(Path.GetDirectoryName(init)!);
        File.CreateSymbolicLink(init, "/bin/sh");
        string[] contain = ["--pid", "--fork", "--mount", "--propagation", "slave", "--mount-proc", "--kill-child", init, "-c", "exec \"$0\" \"$@\" & wait"];
        using var contained = Process.Start(new ProcessStartInfo("unshare", [.. contain, daemon.FileName, .. daemon.ArgumentList]) { UseShellExecute = false })!;
        try
        {
            await DaemonProcess.UntilAnsweredAsync(host, contained);
            Assert.Equal("", await host.Engine.CreateAsync("v"));
            Assert.Contains("the engine's processes cannot be seen from here", await host.Engine.RemoveAsync("v"), StringComparison.Ordinal);
            Assert.Equal("", (await host.Engine.GetAsync("v")).Err);
            using var asks = OperatorClient.Of(host);
            var warnings = (await asks.SendAsync("GET", "/v1/status")).Json.GetProperty("warnings").EnumerateArray().Select(w => w.GetString()).ToList();
            Assert.Contains(warnings, w => w!.Contains("--pid=host", StringComparison.Ordinal));
        }
        finally
        {
            contained.Kill();
            await contained.WaitForExitAsync();
        }
    }
}
