using System.Net;
using System.Net.Sockets;
using VolumeManager.Exports;

namespace VolumeManager.Tests.Exports;

[Trait("Catalog", "none")]
public class NfsServerTests
{
    static async Task<string> RefusedAsync(NfsServer server)
    {
        // Two seconds for each address and five for a name, and what a busy machine needs; the kernel alone would take minutes.
        return (await Assert.ThrowsAsync<VolumeException>(() => server.ReachAsync(CancellationToken.None).WaitAsync(TimeSpan.FromMinutes(1)))).Message;
    }

    static TcpListener Listen(IPAddress address)
    {
        var listener = new TcpListener(address, 0);
        listener.Start();
        return listener;
    }

    static int PortOf(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task A_server_that_listens_is_reached_at_its_address_from_ours(string name)
    {
        var address = IPAddress.Parse(name);
        using var listener = Listen(address);
        Assert.Equal((address, address), await new NfsServer(name, PortOf(listener), Timings.Real).ReachAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_name_is_looked_up_and_each_of_its_addresses_is_tried()
    {
        // localhost may be ::1 first, where nobody listens.
        using var listener = Listen(IPAddress.Loopback);
        Assert.Equal(IPAddress.Loopback, (await new NfsServer("localhost", PortOf(listener), Timings.Real).ReachAsync(CancellationToken.None)).Server);
    }

    [Fact]
    public async Task A_name_that_nobody_knows_is_told_with_the_cure()
    {
        var message = await RefusedAsync(new NfsServer("no-such-host.invalid", 2049, Timings.Real));
        Assert.StartsWith("the NFS server no-such-host.invalid cannot be found (", message, StringComparison.Ordinal);
        Assert.EndsWith("correct the name, or see to the resolver", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_refuses_is_told_and_asked_again_by_the_next_call()
    {
        int port;
        using (var taken = Listen(IPAddress.Loopback)) port = PortOf(taken);
        var server = new NfsServer("127.0.0.1", port, Timings.Real);
        Assert.StartsWith($"the NFS server 127.0.0.1 does not answer (127.0.0.1 port {port}: ", await RefusedAsync(server), StringComparison.Ordinal);
        using var listener = new TcpListener(IPAddress.Loopback, port);
        listener.Start();
        Assert.Equal(IPAddress.Loopback, (await server.ReachAsync(CancellationToken.None)).Server);
    }

    [Fact]
    public async Task A_silent_address_is_told_within_seconds_and_who_waits_may_leave_earlier()
    {
        // A queue of one that is full: the kernel drops who comes next, and answers nothing.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        var place = (IPEndPoint)full.LocalEndPoint!;
        using var first = new TcpClient();
        await first.ConnectAsync(place);
        using var second = new TcpClient();
        _ = second.ConnectAsync(place);
        var server = new NfsServer("127.0.0.1", place.Port, Timings.Real);
        using var leaving = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => server.ReachAsync(leaving.Token));
        Assert.StartsWith($"the NFS server 127.0.0.1 does not answer (no answer from 127.0.0.1 port {place.Port} within 2 s)", await RefusedAsync(server), StringComparison.Ordinal);
    }
}
