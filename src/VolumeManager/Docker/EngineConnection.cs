using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using VolumeManager.Hosts;
using VolumeManager.Linux;

namespace VolumeManager.Docker;

/// <summary>Looks who is at the other end of the plugin socket.</summary>
internal static class EngineConnection
{
    /// <returns>The process that asks; null when it cannot be seen, or has ended.</returns>
    internal static EngineProcess? CallerOf(HttpContext http)
    {
        if (http.Features.Get<IConnectionSocketFeature>()?.Socket is not { } end || PeerCredentials.Of(end) is not { Process: var id }) return null;
        // One in a process namespace that is not seen from here has no number. What the daemon asks itself (ServiceManager) is no engine's question.
        return id == 0 || id == Environment.ProcessId ? null : EngineProcess.Find(id);
    }
}
