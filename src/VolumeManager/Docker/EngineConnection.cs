using System.Buffers.Binary;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using VolumeManager.Hosts;

namespace VolumeManager.Docker;

/// <summary>Looks who is at the other end of the plugin socket.</summary>
internal static class EngineConnection
{
    const int SOL_SOCKET = 1;
    const int SO_PEERCRED = 17;

    /// <returns>The process that asks; null when it cannot be seen, or has ended.</returns>
    internal static EngineProcess? CallerOf(HttpContext http)
    {
        // struct ucred: pid, uid, gid (unix(7)).
        Span<byte> peer = stackalloc byte[12];
        if (http.Features.Get<IConnectionSocketFeature>()?.Socket is not { } end || end.GetRawSocketOption(SOL_SOCKET, SO_PEERCRED, peer) != peer.Length) return null;
        var id = BinaryPrimitives.ReadInt32LittleEndian(peer);
        // One in a process namespace that is not seen from here has no number. What the daemon asks itself (ServiceManager) is no engine's question.
        return id == 0 || id == Environment.ProcessId ? null : EngineProcess.Find(id);
    }
}
