using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Machines;

namespace VolumeManager.EndToEnd.Hosts;

/// <summary>A host's place among others: what its daemon is told, its cable to their network, and the folders that it sees as they do.</summary>
internal sealed record HostPlace(DaemonSettings Settings, Cable? Cable, IReadOnlyList<string> Shared)
{
    public static readonly HostPlace Alone = new(new DaemonSettings(), Cable: null, []);
}
