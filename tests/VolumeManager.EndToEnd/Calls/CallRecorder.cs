using System.Net.Sockets;

namespace VolumeManager.EndToEnd.Calls;

/// <summary>
/// Stands between an engine and the daemon: hands every byte on in both directions, closes one side when the other closes,
/// and keeps the calls in the order in which they were complete.
/// </summary>
internal sealed class CallRecorder : IAsyncDisposable
{
    readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    readonly CancellationTokenSource _stopping = new();
    readonly List<PluginCall> _calls = [];
    readonly Lock _gate = new();
    readonly string _daemonSocket;
    readonly Task _accepting;

    public CallRecorder(string socket, string daemonSocket)
    {
        _daemonSocket = daemonSocket;
        _listener.Bind(new UnixDomainSocketEndPoint(socket));
        _listener.Listen(512);
        _accepting = AcceptAsync();
    }

    public IReadOnlyList<PluginCall> Calls
    {
        get
        {
            lock (_gate)
                return [.. _calls];
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stopping.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ServeAsync(await _listener.AcceptAsync(_stopping.Token));
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    async Task ServeAsync(Socket engine)
    {
        using var _ = engine;
        using var daemon = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await daemon.ConnectAsync(new UnixDomainSocketEndPoint(_daemonSocket), _stopping.Token);
            var parser = new RequestParser(Add);
            // The first side that closes ends both: an engine that gives up must look so to the daemon, and the other way round.
            await await Task.WhenAny(PumpAsync(engine, daemon, parser), PumpAsync(daemon, engine, parser: null));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // Absent or killed daemon, or an aborted connection: the engine sees its own connection close.
        }
    }

    async Task PumpAsync(Socket from, Socket to, RequestParser? parser)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReceiveAsync(buffer, _stopping.Token) is > 0 and var count)
        {
            parser?.Feed(buffer.AsSpan(0, count));
            for (var sent = 0; sent < count;)
                sent += await to.SendAsync(buffer.AsMemory(sent, count - sent), _stopping.Token);
        }
    }

    void Add(PluginCall call)
    {
        lock (_gate)
            _calls.Add(call);
    }
}
