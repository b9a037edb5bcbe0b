using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Mounts;

/// <summary>Who holds a volume, host by host.</summary>
internal static class Holders
{
    /// <summary>One host's part: how many callers, how many mounts of theirs, since when.</summary>
    internal readonly record struct Holder(string Host, int Callers, int Mounts, DateTime Since);

    internal static IEnumerable<Holder> Of(Volume volume, ThisHost host) => volume.Mounts
        .GroupBy(m => m.HostId)
        .Select(group => new Holder(group.Key == host.Id ? host.Name : group.Key.ToString(), group.Count(), group.Sum(m => m.Count), group.Min(m => m.MountedAt)));

    /// <summary>For messages: <c>host a (2 callers since 2026-01-02 03:04:05Z)</c>.</summary>
    internal static string Describe(Volume volume, ThisHost host) => string.Join(", ", Of(volume, host)
        .Select(h => $"host {h.Host} ({h.Callers} {(h.Callers == 1 ? "caller" : "callers")} since {h.Since:u})"));
}
