using System.Diagnostics;

namespace VolumeManager.Tests.Hosts;

/// <summary>volman as a process of its own over a <see cref="TestHost"/>'s directories, so that it can be killed.</summary>
internal sealed class DaemonProcess : IAsyncDisposable
{
    readonly Process _process;

    DaemonProcess(Process process) => _process = process;

    internal int Id => _process.Id;

    /// <summary>Starts the build that lies beside the tests, and waits until it answers List.</summary>
    internal static async Task<DaemonProcess> StartAsync(TestHost host)
    {
        await host.PrepareAsync();
        var daemon = new DaemonProcess(Start(host));
        for (var deadline = DateTime.UtcNow.AddSeconds(60); ; await Task.Delay(20))
        {
            Assert.False(daemon._process.HasExited, "volman ended at its start");
            try
            {
                await host.Engine.ListAsync();
                return daemon;
            }
            catch (System.Net.Sockets.SocketException) when (DateTime.UtcNow < deadline)
            {
                // Not listening yet.
            }
        }
    }

    /// <summary>Starts it and waits for nothing.</summary>
    internal static Process Start(TestHost host)
    {
        var settings = host.Settings;
        var start = new ProcessStartInfo("dotnet",
        [
            Path.Combine(AppContext.BaseDirectory, "volman.dll"), "serve", "--socket", settings.Socket, "--state-dir", settings.StateDirectory,
            "--mount-root", settings.MountRoot, "--data-root", settings.DataRoot, "--host-name", settings.HostName, "--log-level", "critical",
            "--lease", $"{settings.Lease.TotalSeconds:0}s", "--takeover-grace", $"{settings.TakeoverGrace.TotalSeconds:0}s",
            .. settings.Database.Length > 0 ? ["--database", settings.Database] : Array.Empty<string>(),
        ])
        {
            UseShellExecute = false,
        };
        return Process.Start(start)!;
    }

    internal async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) await KillAsync();
        _process.Dispose();
    }
}
