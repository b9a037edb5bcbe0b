using System.Buffers.Binary;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using VolumeManager.Linux;

namespace VolumeManager.Docker;

/// <summary>Looks who is at the other end of the plugin socket. In a container without the host's process ids the engine has none that we could see, nor have its containers.</summary>
internal static class EngineConnection
{
    const int SOL_SOCKET = 1;
    const int SO_PEERCRED = 17;

    internal static void Look(ListenOptions socket) => socket.Use(next => connection =>
    {
        // struct ucred: pid, uid, gid (unix(7)).
        Span<byte> peer = stackalloc byte[12];
        if (MountNamespaces.AreSeen
            && connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } end
            && end.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, peer) == peer.Length
            && BinaryPrimitives.ReadInt32LittleEndian(peer) == 0)
        {
            MountNamespaces.DoNotSee();
        }

        return next(connection);
    });
}
