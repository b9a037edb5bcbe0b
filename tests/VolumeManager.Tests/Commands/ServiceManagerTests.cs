using System.Net.Sockets;
using System.Text;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Commands;

/// <summary>What systemd hears of the daemon that it started: sd_notify(3) over a real socket.</summary>
[Trait("Catalog", "any")]
public sealed class ServiceManagerTests
{
    [Fact]
    public async Task It_hears_when_the_daemon_serves_that_it_lives_and_when_it_stops()
    {
        await using var host = new TestHost();
        await host.PrepareAsync();
        using var systemd = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        systemd.Bind(new UnixDomainSocketEndPoint(host.Settings.StateDirectory + ".notify"));
        using var daemon = DaemonProcess.Start(host, variables: new() { ["NOTIFY_SOCKET"] = host.Settings.StateDirectory + ".notify", ["WATCHDOG_USEC"] = "3000000" });
        Assert.Matches("^READY=1\nSTATUS=serving 0 volumes, scope (local|global)$", await HearAsync(systemd));
        // Ready is who answers.
        Assert.Empty(await host.Engine.ListAsync());
        Assert.Equal("WATCHDOG=1", await HearAsync(systemd));
        Assert.Equal("WATCHDOG=1", await HearAsync(systemd));

        daemon.Signal(ProcessTable.SIGSTOP);
        await Assert.ThrowsAsync<OperationCanceledException>(async () =>
        {
            // What was on its way when it was stopped is heard still.
            while (true) Assert.Equal("WATCHDOG=1", await HearAsync(systemd, TimeSpan.FromSeconds(4)));
        });
        daemon.Signal(ProcessTable.SIGCONT);
        Assert.Equal("WATCHDOG=1", await HearAsync(systemd));

        daemon.Signal(ProcessTable.SIGTERM);
        string heard;
        do heard = await HearAsync(systemd);
        while (heard == "WATCHDOG=1");
        Assert.Equal("STOPPING=1", heard);
        Assert.Equal(0, await daemon.ExitAsync(TimeSpan.FromMinutes(2)));
    }

    static async Task<string> HearAsync(Socket systemd, TimeSpan? patience = null)
    {
        var buffer = new byte[1000];
        using var deadline = new CancellationTokenSource(patience ?? TimeSpan.FromMinutes(2));
        return Encoding.UTF8.GetString(buffer, 0, await systemd.ReceiveAsync(buffer, deadline.Token));
    }
}
