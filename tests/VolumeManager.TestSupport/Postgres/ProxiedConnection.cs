using System.Net.Sockets;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>One client's connection through a <see cref="PostgresProxy"/>, and the one to the server that it stands for.</summary>
internal sealed class ProxiedConnection(Socket client, string serverSocket, ProxyTraffic traffic) : IDisposable
{
    readonly Socket _server = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    readonly CancellationTokenSource _closing = new();
    bool _clientSpoke;

    public Task Running { get; private set; } = Task.CompletedTask;

    public void Start(Action ended) => Running = RunAsync(ended);

    /// <summary>Ends it at once; what was on its way is lost.</summary>
    public void Close()
    {
        try
        {
            _closing.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It ended by itself at this moment.
        }
    }

    public void Dispose()
    {
        client.Dispose();
        _server.Dispose();
        _closing.Dispose();
    }

    /// <summary>Hands bytes on until either side closes.</summary>
    async Task RunAsync(Action ended)
    {
        try
        {
            await traffic.PassAsync(_closing.Token);
            await _server.ConnectAsync(new UnixDomainSocketEndPoint(serverSocket), _closing.Token);
            var pumps = new[] { PumpAsync(client, _server, fromClient: true), PumpAsync(_server, client, fromClient: false) };
            await Task.WhenAny(pumps);
            Close();
            await Task.WhenAll(pumps);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // An absent or killed server, a client that went away, or a cut: each side sees its connection close.
        }
        finally
        {
            Dispose();
            ended();
        }
    }

    async Task PumpAsync(Socket from, Socket to, bool fromClient)
    {
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var count = await from.ReceiveAsync(buffer, _closing.Token);
            // Before the end too: in silence nobody hears that the other side is gone.
            await traffic.PassAsync(_closing.Token);
            if (count == 0) return;
            if (fromClient) Volatile.Write(ref _clientSpoke, true);
            else if (Interlocked.Exchange(ref _clientSpoke, false)) traffic.CountRoundTrip();
            for (var sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _closing.Token);
        }
    }
}
