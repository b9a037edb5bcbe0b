using System.Buffers.Binary;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using VolumeManager.Hosts;

namespace VolumeManager.Docker;

/// <summary>Looks who is at the other end of the plugin socket.</summary>
internal sealed class EngineConnection
{
    const int SOL_SOCKET = 1;
    const int SO_PEERCRED = 17;

    readonly int _peer;

    EngineConnection(int peer) => _peer = peer;

    internal static void Look(ListenOptions socket) => socket.Use(next => connection =>
    {
        // struct ucred: pid, uid, gid (unix(7)).
        Span<byte> peer = stackalloc byte[12];
        if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } end && end.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, peer) == peer.Length)
        {
            var id = BinaryPrimitives.ReadInt32LittleEndian(peer);
            // One in a process namespace that is not seen from here has no number. What the daemon asks itself (ServiceManager) is no engine's question.
            if (id != 0 && id != Environment.ProcessId) connection.Features.Set(new EngineConnection(id));
        }

        return next(connection);
    });

    /// <returns>The process that asks; null when it cannot be seen, or has ended.</returns>
    internal static EngineProcess? CallerOf(HttpContext http) => http.Features.Get<EngineConnection>() is { } connection ? EngineProcess.Find(connection._peer) : null;
}
