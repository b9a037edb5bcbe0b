using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>What the admin API answers about volumes and their mounts: filters, and pages in the order of the names.</summary>
internal static class VolumeRoutes
{
    const int DefaultLimit = 1000;
    const int MaxLimit = 10_000;

    /// <exception cref="BadRequestException">A filter is not what it should be.</exception>
    /// <exception cref="CatalogAwayException">It is not known what there is.</exception>
    internal static async Task<VolumesAnswer> ListAsync(HostDaemon daemon, QueryFilters filters, CancellationToken cancellation)
    {
        filters.CheckKnown("label", "host", "state", "limit", "after");
        var (label, host, state, after) = (filters.Value("label"), filters.Value("host"), filters.Value("state"), filters.Value("after"));
        var limit = filters.Number("limit", DefaultLimit, MaxLimit);
        var (key, value) = label?.Split('=', 2) is [var k, var v] ? (k, v) : (label, null);
        var found = (await daemon.Catalog.ListAsync(cancellation))
            .Where(volume => (key is null || (volume.Labels.TryGetValue(key, out var has) && (value is null || has == value)))
                && (host is null || volume.Mounts.Any(m => daemon.Catalog.InfoOf(m.HostId).Name == host))
                && (state is null || EnumText.Of(volume.State) == state)
                && (after is null || string.CompareOrdinal(volume.Name, after) > 0))
            .OrderBy(volume => volume.Name, StringComparer.Ordinal)
            .Take(limit + 1)
            .ToList();
        return new VolumesAnswer([.. found.Take(limit).Select(volume => VolumeView.Of(volume, daemon))], found.Count > limit ? found[limit - 1].Name : null);
    }

    /// <exception cref="NoSuchVolumeException">There is none of that name.</exception>
    internal static async Task<Volume> FindAsync(HostDaemon daemon, string name, CancellationToken cancellation) =>
        VolumeName.IsValid(name) && await daemon.Catalog.FindAsync(name, cancellation) is { } volume ? volume : throw new NoSuchVolumeException(name);

    internal static async Task<MountsAnswer> ListMountsAsync(HostDaemon daemon, QueryFilters filters, CancellationToken cancellation)
    {
        filters.CheckKnown("volume", "host");
        var (name, host) = (filters.Value("volume"), filters.Value("host"));
        return new MountsAnswer([.. (await daemon.Catalog.ListAsync(cancellation))
            .Where(volume => name is null || volume.Name == name)
            .SelectMany(volume => volume.Mounts.Select(mount => MountView.Of(volume, mount, daemon.Catalog)))
            .Where(mount => host is null || mount.Host == host)
            .OrderBy(mount => mount.Volume, StringComparer.Ordinal).ThenBy(mount => mount.MountedAt)]);
    }
}
