using System.Net;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using VolumeManager.Linux;

namespace VolumeManager.Admin;

/// <summary>Marks what came for the admin API, and how: what is served there is served nowhere else, and the other way round.</summary>
/// <param name="User">Who is at the other end of the unix socket; null over TLS.</param>
internal sealed record AdminConnection(string? User)
{
    // Enough for many operators; each takes memory and, while it is answered, a thread.
    const int MaxRemote = 64;
    const int MaxRemoteOfAddress = 16;

    internal static void MarkLocal(ListenOptions socket) => socket.Use(next => connection =>
    {
        var end = connection.Features.Get<IConnectionSocketFeature>()?.Socket;
        connection.Features.Set(new AdminConnection(end is null ? "unknown" : PeerCredentials.Of(end)?.ToString() ?? "unknown"));
        return next(connection);
    });

    /// <summary>Bounds the connections too, before anything is read from them: the framework's own bound would count the engine's with them.</summary>
    internal static void MarkRemote(ListenOptions listener)
    {
        var (gate, open) = (new Lock(), new Dictionary<IPAddress, int>());
        listener.Use(next => async connection =>
        {
            var address = (connection.RemoteEndPoint as IPEndPoint)?.Address ?? IPAddress.None;
            lock (gate)
            {
                if (open.Values.Sum() >= MaxRemote || open.GetValueOrDefault(address) >= MaxRemoteOfAddress) return;
                open[address] = open.GetValueOrDefault(address) + 1;
            }

            try
            {
                connection.Features.Set(new AdminConnection(User: null));
                await next(connection);
            }
            finally
            {
                lock (gate)
                {
                    if (--open[address] == 0) open.Remove(address);
                }
            }
        });
    }

    /// <returns>Null for an engine's.</returns>
    internal static AdminConnection? Of(HttpContext http) => http.Features.Get<AdminConnection>();
}
