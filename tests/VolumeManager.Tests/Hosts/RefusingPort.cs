using System.Net;
using System.Net.Sockets;

namespace VolumeManager.Tests.Hosts;

/// <summary>A port of this machine that is bound and not listened on: whoever connects is refused, and nobody else gets it.</summary>
public sealed class RefusingPort : IDisposable
{
    readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public RefusingPort() => _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));

    public int Number => ((IPEndPoint)_socket.LocalEndPoint!).Port;

    public void Dispose() => _socket.Dispose();
}
