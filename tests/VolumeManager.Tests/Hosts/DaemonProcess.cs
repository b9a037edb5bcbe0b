using System.Diagnostics;

namespace VolumeManager.Tests.Hosts;

/// <summary>volman as a process of its own over a <see cref="TestHost"/>'s directories, so that it can be killed.</summary>
internal sealed class DaemonProcess : IAsyncDisposable
{
    readonly Process _process;

    DaemonProcess(Process process) => _process = process;

    internal int Id => _process.Id;

    /// <summary>Starts the build that lies beside the tests, and waits until it answers List.</summary>
    /// <param name="clock">How far the clock of its host is ahead of ours; behind when negative. Needs <see cref="FakeTimeTheoryAttribute"/>.</param>
    /// <param name="variables">Set in its environment beside what is there.</param>
    internal static async Task<DaemonProcess> StartAsync(TestHost host, TimeSpan clock = default, Dictionary<string, string>? variables = null)
    {
        await host.PrepareAsync();
        var daemon = new DaemonProcess(Start(host, clock, variables));
        await UntilAnsweredAsync(host, daemon._process);
        return daemon;
    }

    /// <summary>Starts it by another program, which gives it namespaces of its own.</summary>
    internal static async Task<DaemonProcess> StartWithinAsync(TestHost host, string program, params string[] arguments)
    {
        await host.PrepareAsync();
        var command = Command(host);
        var daemon = new DaemonProcess(Process.Start(new ProcessStartInfo(program, [.. arguments, command.FileName, .. command.ArgumentList]) { UseShellExecute = false })!);
        await UntilAnsweredAsync(host, daemon._process);
        return daemon;
    }

    /// <summary>As in a container without --pid=host, but under an init, as of docker run --init: volman is not process 1.</summary>
    internal static Task<DaemonProcess> StartContainedAsync(TestHost host)
    {
        var init = host.Settings.Socket + ".d/docker-init";
        Directory.CreateDirectory(Path.GetDirectoryName(init)!);
        File.CreateSymbolicLink(init, "/bin/sh");
        return StartWithinAsync(host, "unshare", "--pid", "--fork", "--mount", "--propagation", "slave", "--mount-proc", "--kill-child", init, "-c", "exec \"$0\" \"$@\" & wait");
    }

    static async Task UntilAnsweredAsync(TestHost host, Process daemon)
    {
        for (var deadline = DateTime.UtcNow.AddSeconds(60); ; await Task.Delay(20))
        {
            Assert.False(daemon.HasExited, "volman ended at its start");
            try
            {
                await host.Engine.ListAsync();
                return;
            }
            catch (System.Net.Sockets.SocketException) when (DateTime.UtcNow < deadline)
            {
                // Not listening yet.
            }
        }
    }

    /// <summary>Starts it and waits for nothing.</summary>
    /// <param name="variables">Set in its environment beside what is there.</param>
    internal static Process Start(TestHost host, TimeSpan clock = default, Dictionary<string, string>? variables = null)
    {
        var start = Command(host);
        foreach (var (name, value) in variables ?? []) start.Environment[name] = value;
        if (clock != TimeSpan.Zero)
        {
            start.Environment["LD_PRELOAD"] = FakeTimeTheoryAttribute.Library;
            start.Environment["FAKETIME"] = $"{clock.TotalSeconds:+0;-0}";
            // As on a real host: only the time of day is wrong, not how long something takes.
            start.Environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1";
        }

        return Process.Start(start)!;
    }

    internal static ProcessStartInfo Command(TestHost host)
    {
        var settings = host.Settings;
        return new ProcessStartInfo("dotnet",
        [
            Path.Combine(AppContext.BaseDirectory, "volman.dll"), "serve", "--socket", settings.Socket, "--admin-socket", settings.AdminSocket, "--state-dir", settings.StateDirectory,
            "--mount-root", settings.MountRoot, "--data-root", settings.DataRoot, "--host-name", settings.HostName, "--log-level", "critical",
            "--lease", $"{settings.Lease.TotalSeconds:0}s", "--takeover-grace", $"{settings.TakeoverGrace.TotalSeconds:0}s",
            "--trash-retention", $"{settings.TrashRetention.TotalSeconds:0}s", "--reconcile-interval", $"{settings.ReconcileInterval.TotalMilliseconds:0}ms",
            "--usage-interval", settings.UsageInterval == TimeSpan.Zero ? "0" : $"{settings.UsageInterval.TotalMilliseconds:0}ms",
            .. settings.Database.Length > 0 ? ["--database", settings.Database] : Array.Empty<string>(),
        ])
        {
            UseShellExecute = false,
        };
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
