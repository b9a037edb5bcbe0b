using System.Net;
using System.Net.Sockets;

namespace VolumeManager.Hosts;

/// <summary>The address by which this host is known to the others.</summary>
internal static class HostAddress
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <summary>The address from which packets to a server would go out, as the kernel's routes say; no packet is sent (connect(2) of a datagram socket).</summary>
    /// <returns>Null when there is no way there that others could come back.</returns>
    internal static async Task<string?> TowardsAsync(string server, int port)
    {
        try
        {
            using var patience = new CancellationTokenSource(s_patience);
            foreach (var address in await Dns.GetHostAddressesAsync(server, patience.Token))
            {
                using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                await socket.ConnectAsync(new IPEndPoint(address, port), patience.Token);
                if (socket.LocalEndPoint is IPEndPoint { Address: { IsIPv6LinkLocal: false } own } && !IPAddress.IsLoopback(own)) return own.ToString();
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // Without a way to the database there is nobody to tell the address to.
        }

        return null;
    }
}
