using System.Net.Sockets;
using VolumeManager.Tests.Commands;

namespace VolumeManager.Tests.Hosts;

/// <summary>Runs the program as a process of its own over a <see cref="TestHost"/>'s directories, so that it can be killed.</summary>
internal static class DaemonProcess
{
    /// <summary>Starts it, and waits until it answers List.</summary>
    /// <param name="clock">How far the clock of its host is ahead of ours; behind when negative. Needs <see cref="FakeTimeTheoryAttribute"/>.</param>
    /// <param name="variables">Set in its environment beside what is there.</param>
    internal static async Task<RunningProgram> StartAsync(TestHost host, TimeSpan clock = default, Dictionary<string, string>? variables = null)
    {
        await host.PrepareAsync();
        return await AnsweringAsync(host, Start(host, clock, variables));
    }

    /// <summary>Starts it by another program, which gives it namespaces of its own.</summary>
    internal static async Task<RunningProgram> StartWithinAsync(TestHost host, string program, params string[] arguments)
    {
        await host.PrepareAsync();
        return await AnsweringAsync(host, new RunningProgram("volman", new(program, [.. arguments, .. VolmanProcess.Program, .. Arguments(host)])));
    }

    /// <summary>As in a container without --pid=host, but under an init, as of docker run --init: volman is not process 1.</summary>
    internal static Task<RunningProgram> StartContainedAsync(TestHost host)
    {
        var init = host.Settings.Socket + ".d/docker-init";
        Directory.CreateDirectory(Path.GetDirectoryName(init)!);
        File.CreateSymbolicLink(init, "/bin/sh");
        return StartWithinAsync(host, "unshare", "--pid", "--fork", "--mount", "--propagation", "slave", "--mount-proc", "--kill-child", init, "-c", "exec \"$0\" \"$@\" & wait");
    }

    static async Task<RunningProgram> AnsweringAsync(TestHost host, RunningProgram daemon)
    {
        await daemon.UntilAsync("answers", async () =>
        {
            try
            {
                // A daemon that ends its start without a catalog closes the connection; the next question sees that it is gone.
                return !(await host.Engine.CallAsync("/VolumeDriver.List", "{}\n")).Aborted;
            }
            catch (SocketException)
            {
                return false; // Not listening yet.
            }
        }, TimeSpan.FromMinutes(3));
        return daemon;
    }

    /// <summary>Starts it and waits for nothing.</summary>
    /// <param name="variables">Set in its environment beside what is there.</param>
    internal static RunningProgram Start(TestHost host, TimeSpan clock = default, Dictionary<string, string>? variables = null)
    {
        var start = VolmanProcess.StartInfo(Arguments(host), variables);
        if (clock != TimeSpan.Zero)
        {
            start.Environment["LD_PRELOAD"] = FakeTimeTheoryAttribute.Library;
            start.Environment["FAKETIME"] = $"{clock.TotalSeconds:+0;-0}";
            // As on a real host: only the time of day is wrong, not how long something takes.
            start.Environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1";
        }

        return new RunningProgram("volman", start);
    }

    static IEnumerable<string> Arguments(TestHost host)
    {
        var settings = host.Settings;
        return
        [
            "serve", "--socket", settings.Socket, "--admin-socket", settings.AdminSocket, "--state-dir", settings.StateDirectory,
            "--mount-root", settings.MountRoot, "--data-root", settings.DataRoot, "--host-name", settings.HostName, "--log-level", "critical",
            "--lease", $"{settings.Lease.TotalSeconds:0}s", "--takeover-grace", $"{settings.TakeoverGrace.TotalSeconds:0}s",
            "--trash-retention", $"{settings.TrashRetention.TotalSeconds:0}s", "--reconcile-interval", $"{settings.ReconcileInterval.TotalMilliseconds:0}ms",
            "--usage-interval", settings.UsageInterval == TimeSpan.Zero ? "0" : $"{settings.UsageInterval.TotalMilliseconds:0}ms",
            .. settings.Database.Length > 0 ? ["--database", settings.Database] : Array.Empty<string>(),
        ];
    }
}
