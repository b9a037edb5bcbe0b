using System.Net.Sockets;

namespace VolumeManager.EndToEnd.Postgres;

/// <summary>One host's way to PostgreSQL: a socket in a folder of its own that hands every byte on, until it is told not to. Stand-in until tests/Postgres is there.</summary>
internal sealed class PostgresProxy : IAsyncDisposable
{
    readonly Lock _gate = new();
    readonly List<Socket> _open = [];
    readonly string _path;
    readonly string _server;
    Socket? _listener;
    volatile TaskCompletionSource? _silence;

    public PostgresProxy(PostgresServer server, string folder)
    {
        _server = Path.Combine(server.SocketFolder, $".s.PGSQL.{PostgresServer.Port}");
        _path = Path.Combine(folder, $".s.PGSQL.{PostgresServer.Port}");
        Heal();
    }

    /// <summary>Connections break, new ones are refused.</summary>
    public void Cut()
    {
        _listener?.Dispose();
        _listener = null;
        CloseAll();
    }

    /// <summary>Connections stay and can be made, but nothing comes through.</summary>
    public void Silence() => _silence ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>All is well again.</summary>
    public void Heal()
    {
        Interlocked.Exchange(ref _silence, value: null)?.SetResult();
        if (_listener is not null)
            return;
        File.Delete(_path);
        _listener = NewSocket();
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen(512);
        _ = AcceptAsync(_listener);
    }

    public ValueTask DisposeAsync()
    {
        Cut();
        Interlocked.Exchange(ref _silence, value: null)?.SetResult();
        return ValueTask.CompletedTask;
    }

    static Socket NewSocket() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
                _ = ServeAsync(await listener.AcceptAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }

    async Task ServeAsync(Socket client)
    {
        var server = NewSocket();
        lock (_gate)
            _open.AddRange([client, server]);
        try
        {
            await server.ConnectAsync(new UnixDomainSocketEndPoint(_server));
            await await Task.WhenAny(PumpAsync(client, server), PumpAsync(server, client));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut, or no server: the other side sees its own connection close.
        }
        lock (_gate)
            _open.RemoveAll(socket => socket == client || socket == server);
        client.Dispose();
        server.Dispose();
    }

    async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReceiveAsync(buffer) is > 0 and var count)
        {
            if (_silence is { } silence)
                await silence.Task;
            for (var sent = 0; sent < count;)
                sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
        }
    }

    void CloseAll()
    {
        lock (_gate)
        {
            foreach (var socket in _open)
                socket.Dispose();
            _open.Clear();
        }
    }
}
