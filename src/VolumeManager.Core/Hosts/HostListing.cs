using VolumeManager.Catalog;

namespace VolumeManager.Hosts;

/// <summary>A host as lists of hosts show it.</summary>
/// <param name="State"><c>live</c>, <c>lost</c> or <c>evicted</c>, by the catalog's clock.</param>
/// <param name="Mounts">How many mounts it holds.</param>
/// <param name="Address">By which other hosts know it; null when that is not known.</param>
internal sealed record HostListing(Guid Id, string Name, string State, long Mounts, string? Address, DateTime LastSeenAt, string Version)
{
    /// <summary>The hosts of a cluster by name, the evicted ones last.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    internal static async Task<IReadOnlyList<HostListing>> ReadAsync(PostgresDatabase database, CancellationToken cancellation)
    {
        var hosts = new List<HostListing>();
        await database.ReadAsync(
            $"""
            SELECT h.id, h.name, CASE WHEN h.state = 'live' AND h.lease_expires_at < now() THEN 'lost' ELSE h.state END, (SELECT count(*) FROM mounts m WHERE m.host_id = h.id),
                   h.address, h.last_seen_at, h.version
            FROM hosts h ORDER BY h.state = 'evicted', h.name
            """,
            row => hosts.Add(new HostListing(row.GetGuid(0), row.GetString(1), row.GetString(2), row.GetInt64(3), row.IsDBNull(4) ? null : row.GetString(4), row.GetUtcOrEpoch(5), row.GetString(6))), cancellation);
        return hosts;
    }
}
