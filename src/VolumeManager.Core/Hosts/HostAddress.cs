using System.Net;
using System.Net.Sockets;

namespace VolumeManager.Hosts;

/// <summary>The address by which this host is known to the others.</summary>
internal static class HostAddress
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Whether a text from the catalog is the address of one host, as <see cref="IPAddress.ToString"/> writes it. It goes into exports(5) and to exportfs(8), where a network, a
    /// wildcard or a second line would open the export to others.
    /// </summary>
    internal static bool IsOfOneHost(string text) =>
        IPAddress.TryParse(text, out var address) && address.ToString() == text && !IPAddress.IsLoopback(address) && !address.IsIPv4MappedToIPv6
        && (address.AddressFamily == AddressFamily.InterNetwork
            ? address.GetAddressBytes()[0] is > 0 and < 224 // RFC 1122 3.2.1.3, RFC 5771
            : !address.IsIPv6Multicast && !address.IsIPv6LinkLocal && !address.Equals(IPAddress.IPv6Any));

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
