using System.Collections.Concurrent;
using System.Net.Sockets;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>
/// Stands between a client and a server as a network does that can break, freeze and be slow, and counts the round trips.
/// It listens in a folder of its own under the same port number, so a connection string needs another Host only.
/// </summary>
internal sealed class PostgresProxy : IAsyncDisposable
{
    readonly PostgresFolder _folder;
    readonly string _server;
    readonly ConcurrentDictionary<ProxiedConnection, bool> _connections = new();
    readonly Lock _gate = new();
    Socket? _listener;
    Task _accepting = Task.CompletedTask;

    PostgresProxy(PostgresFolder folder, string server, int port)
    {
        (_folder, _server, Port) = (folder, server, port);
        Listen();
    }

    public string SocketDirectory => _folder.Sockets;
    public int Port { get; }
    public string Socket => PostgresFolder.SocketOf(SocketDirectory, Port);

    /// <summary>Directory and port as one entry of a connection string's list of hosts.</summary>
    public string Host => $"{SocketDirectory}:{Port}";

    /// <summary>What every chunk of bytes waits in each direction: a round trip takes twice as long.</summary>
    public TimeSpan Delay
    {
        get => Traffic.Delay;
        set => Traffic.Delay = value;
    }

    /// <summary>
    /// How often a client's bytes were followed by the server's, summed over all connections. Opening a connection counts too.
    /// It is counted before the client gets the answer, so a test may read it as soon as its call returns.
    /// </summary>
    public int RoundTrips => Traffic.RoundTrips;

    ProxyTraffic Traffic { get; } = new();

    /// <param name="serverSocket">The server's <c>.s.PGSQL.port</c>; it need not exist yet.</param>
    public static async Task<PostgresProxy> StartAsync(string serverSocket) =>
        new(await PostgresFolder.CreateAsync(owner: null), serverSocket, int.Parse(Path.GetExtension(serverSocket).TrimStart('.')));

    public void ResetCounters() => Traffic.ResetCounters();

    /// <summary>Closes all connections and refuses new ones.</summary>
    public void Cut()
    {
        lock (_gate)
        {
            // The file goes before the listener, or a client in between would be refused in another way than later ones.
            File.Delete(Socket);
            _listener?.Dispose();
            _listener = null;
        }

        foreach (var connection in _connections.Keys) connection.Close();
    }

    /// <summary>Takes and keeps connections, and hands nothing on, not even that a side has closed. What it holds back goes on after <see cref="Heal"/>.</summary>
    public void Silence() => Traffic.Silence();

    /// <summary>Ends <see cref="Cut"/> and <see cref="Silence"/>; <see cref="Delay"/> stays.</summary>
    public void Heal()
    {
        Traffic.Flow();
        lock (_gate)
        {
            if (_listener is null) Listen();
        }
    }

    public async ValueTask DisposeAsync()
    {
        Cut();
        await _accepting;
        await Task.WhenAll(_connections.Keys.Select(connection => connection.Running));
        _folder.Dispose();
    }

    void Listen()
    {
        _listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(new UnixDomainSocketEndPoint(Socket));
        _listener.Listen(512);
        _accepting = Task.WhenAll(_accepting, AcceptAsync(_listener));
    }

    async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            try
            {
                var connection = new ProxiedConnection(await listener.AcceptAsync(), _server, Traffic);
                _connections[connection] = true;
                // It may have come through at the very moment of the cut, and not have been in the table then.
                if (!ReferenceEquals(listener, _listener)) connection.Close();
                connection.Start(ended: () => _connections.TryRemove(connection, out _));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return; // Cut.
            }
        }
    }
}
