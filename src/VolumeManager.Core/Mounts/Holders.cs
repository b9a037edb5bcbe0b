using VolumeManager.Catalog;
using VolumeManager.Volumes;

namespace VolumeManager.Mounts;

/// <summary>Who holds a volume, host by host.</summary>
internal static class Holders
{
    /// <summary>One host's part: how many callers, how many mounts of theirs, since when; and whether the host is live.</summary>
    internal readonly record struct Holder(string Host, string State, int Callers, int Mounts, DateTime Since);

    internal static IEnumerable<Holder> Of(Volume volume, VolumeCatalog catalog) => volume.Mounts
        .GroupBy(m => m.HostId)
        .Select(group => (Info: catalog.InfoOf(group.Key), Mounts: group))
        .Select(held => new Holder(held.Info.Name, held.Info.State, held.Mounts.Count(), held.Mounts.Sum(m => m.Count), held.Mounts.Min(m => m.MountedAt)));

    /// <summary>For messages: <c>host a (2 callers since 2026-01-02 03:04:05Z)</c>, and what is to be done about a host that is lost.</summary>
    internal static string Describe(Volume volume, VolumeCatalog catalog) => string.Join(", ", Of(volume, catalog)
        .Select(h => $"host {h.Host} ({h.Callers} {(h.Callers == 1 ? "caller" : "callers")} since {h.Since:u}{(h.State == "lost" ? $"; the host is lost, if it does not come back: volman host evict {h.Host}" : "")})"));
}
