using System.Net;
using System.Net.Sockets;
using VolumeManager.Linux;

namespace VolumeManager.Exports;

/// <summary>An NFS server as this host sees it: where it is now, and whether it answers.</summary>
/// <param name="name">A host name, or an IPv4 or IPv6 address.</param>
internal sealed class NfsServer(string name, int port, Timings timings)
{
    // The resolver's own time-outs are longer than ours, and it blocks: one thread a server at most.
    readonly SyscallLane _resolver = new("resolver", maxThreads: 1);
    readonly Lock _gate = new();
    Task<(IPAddress Server, IPAddress Local)>? _probe;
    long _probedAt;
    IPAddress? _last;

    internal string Name => name;

    /// <summary>Finds the server and opens a connection to its NFS port: mount(2) would wait for minutes to learn the same.</summary>
    /// <returns>The server's address, and the one of this host that leads there.</returns>
    /// <exception cref="VolumeException">The name is unknown, or nobody answers.</exception>
    internal Task<(IPAddress Server, IPAddress Local)> ReachAsync(CancellationToken cancellation)
    {
        lock (_gate)
        {
            // A refusal is not kept: a server that comes back is found by the next call.
            var isFresh = _probe is { IsCompleted: false } || (_probe is { IsCompletedSuccessfully: true } && Environment.TickCount64 - _probedAt < timings.ServerFresh.TotalMilliseconds);
            if (!isFresh) _probe = ProbeAsync();
            return _probe!.WaitAsync(cancellation);
        }
    }

    async Task<(IPAddress Server, IPAddress Local)> ProbeAsync()
    {
        var failure = "";
        // Where it was before comes first, if the name still means that: of a server with several addresses one is used.
        foreach (var address in (await ResolveAsync()).OrderBy(a => a.Equals(_last) ? 0 : 1))
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            using var patience = new CancellationTokenSource(timings.ServerProbe);
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, port), patience.Token);
                _probedAt = Environment.TickCount64;
                _last = address;
                return (address, ((IPEndPoint)socket.LocalEndPoint!).Address);
            }
            catch (OperationCanceledException)
            {
                failure = $"no answer from {address} port {port} within {timings.ServerProbe.TotalSeconds:0} s";
            }
            catch (SocketException e)
            {
                failure = $"{address} port {port}: {e.Message}";
            }
        }

        throw new VolumeException($"the NFS server {name} does not answer ({failure}): see to it or to the way there, then try again");
    }

    /// <summary>The addresses that the name has now.</summary>
    /// <exception cref="VolumeException">The name is unknown, or nobody says in time.</exception>
    internal async Task<IPAddress[]> ResolveAsync()
    {
        if (IPAddress.TryParse(name, out var address)) return [address];
        var lookup = _resolver.RunAsync(() => Dns.GetHostAddresses(name), CancellationToken.None);
        try
        {
            return await lookup.WaitAsync(timings.ServerResolve);
        }
        catch (Exception e) when (e is SocketException or TimeoutException)
        {
            _ = lookup.ContinueWith(late => _ = late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            throw new VolumeException($"the NFS server {name} cannot be found ({e.Message}): correct the name, or see to the resolver", e);
        }
    }
}
