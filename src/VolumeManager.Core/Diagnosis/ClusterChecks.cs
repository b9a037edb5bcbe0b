using System.Diagnostics;
using System.Runtime.CompilerServices;
using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Diagnosis;

/// <summary>The hosts of a cluster, their leases, versions and clocks, and what this host has not told the others. One host alone has none of that.</summary>
internal sealed class ClusterChecks(HostDaemon daemon)
{
    static readonly TimeSpan s_lostForLong = TimeSpan.FromMinutes(5);
    static readonly TimeSpan s_skew = TimeSpan.FromSeconds(1);
    const int Attempts = 3;

    // One join tells thousands of events in seconds.
    const long ManyUntold = 1000;

    readonly record struct Row(Guid Id, string Name, string State, DateTime? Lease, DateTime Seen, string Version, long Mounts, DateTime Now);

    internal async IAsyncEnumerable<Finding> LookAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        if (daemon.Catalog is not ClusterCatalog catalog) yield break;
        var untold = await catalog.CountUntoldAsync();
        if (catalog.StaleSince is { } since)
        {
            yield return new Finding(
                "catalog-away", Severity.Error, catalog.Name, $"this host is out of touch with the catalog since {since:u} ({catalog.AwayReason}), and has {untold} events to tell it: it answers from its own ledger, and makes, removes and mounts exclusively nothing",
                "see to the database and the way to it");
            yield break;
        }

        if (untold > ManyUntold)
        {
            yield return new Finding("events-untold", Severity.Warning, $"host {daemon.Host.Name}", $"the catalog has not heard {untold} events of this host although it is in touch", "see volman's log for what the database refuses");
        }

        var hosts = await ReadHostsAsync(catalog, cancellation);
        foreach (var host in hosts.Where(h => h.State == "lost" && h.Now - (h.Lease ?? h.Seen) > s_lostForLong))
        {
            yield return new Finding(
                "host-lost", Severity.Warning, $"host {host.Name}", $"host {host.Name} is lost since {host.Lease ?? host.Seen:u}, and holds {host.Mounts} mounts; while it may come back what is in the trash stays there",
                $"start volman there, or, if the machine is no more, volman host evict {host.Name}")
            { Id = host.Id };
        }

        var versions = hosts.Where(h => h.State == "live").GroupBy(h => h.Version, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal).ToList();
        if (versions.Count > 1)
        {
            yield return new Finding(
                "versions-differ", Severity.Warning, catalog.Name, $"the hosts of the cluster run several versions of volman: {string.Join("; ", versions.Select(g => $"{g.Key} on {string.Join(", ", g.Select(h => h.Name).Order(StringComparer.Ordinal))}"))}",
                "end the upgrade: install the same version on all");
        }

        if (hosts.Find(h => h.Id == daemon.Host.Id) is { Lease: { } lease } own && lease - own.Now < daemon.Settings.Lease / 3)
        {
            yield return new Finding(
                "lease-short", Severity.Warning, $"host {own.Name}", $"the lease of this host ends in {(lease - own.Now).TotalSeconds:0.0} s of {daemon.Settings.Lease.TotalSeconds:0} s: two renewals at least have failed",
                "see to the database and the way to it, or give the hosts a longer lease");
        }

        if (await MeasureSkewAsync(catalog, cancellation) is { } skew && skew.Duration() > s_skew)
        {
            yield return new Finding(
                "clock-skew", Severity.Warning, $"host {daemon.Host.Name}", $"the clock of this host is {skew.Duration().TotalSeconds:0.0} s {(skew > TimeSpan.Zero ? "ahead of" : "behind")} the database's",
                "let NTP set both; leases do not suffer, for one clock judges them all, but files and logs bear wrong times");
        }

        await foreach (var finding in LookAtOtherRootsAsync(catalog, cancellation)) yield return finding;
    }

    static async Task<List<Row>> ReadHostsAsync(ClusterCatalog catalog, CancellationToken cancellation)
    {
        var hosts = new List<Row>();
        await catalog.ReadAsync(
            $"""
            SELECT h.id, h.name, CASE WHEN h.state = 'live' AND h.lease_expires_at < now() THEN 'lost' ELSE h.state END, h.lease_expires_at, h.last_seen_at, h.version,
                   (SELECT count(*) FROM mounts m WHERE m.host_id = h.id), now()
            FROM hosts h WHERE h.state <> 'evicted'
            """,
            row => hosts.Add(new Row(row.GetGuid(0), row.GetString(1), row.GetString(2), row.IsDBNull(3) ? null : row.GetUtcOrEpoch(3), row.GetUtcOrEpoch(4), row.GetString(5), row.GetInt64(6), row.GetUtc(7))), cancellation);
        return hosts;
    }

    /// <summary>How far this host's clock is ahead of the database's, as far as the time that the question took lets that be known.</summary>
    /// <returns>Null when it took too long to tell anything.</returns>
    static async Task<TimeSpan?> MeasureSkewAsync(ClusterCatalog catalog, CancellationToken cancellation)
    {
        (TimeSpan Skew, TimeSpan Trip) best = (default, TimeSpan.MaxValue);
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var (sent, began, there) = (DateTime.UtcNow, Stopwatch.GetTimestamp(), DateTime.UnixEpoch);
            await catalog.ReadAsync($"SELECT clock_timestamp()", row => there = row.GetUtc(0), cancellation);
            var trip = Stopwatch.GetElapsedTime(began);
            if (trip < best.Trip) best = (sent + trip / 2 - there, trip);
        }

        return best.Trip > s_skew ? null : best.Skew;
    }

    /// <summary>Volumes on shared directories that this host has not mounted, or that are not shared at all.</summary>
    async IAsyncEnumerable<Finding> LookAtOtherRootsAsync(ClusterCatalog catalog, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var own = daemon.Exports.Local.RootId;
        var others = new List<(string Root, long Volumes, string Name)>();
        await catalog.ReadAsync(
            $"SELECT export, count(*), min(name) FROM volumes WHERE backend = 'local' AND export <> {own} AND state IN ('ready', 'removing', 'restoring') GROUP BY export",
            row => others.Add((row.GetString(0), row.GetInt64(1), row.GetString(2))), cancellation);
        foreach (var (root, volumes, name) in others)
        {
            yield return new Finding(
                "data-root-other", Severity.Warning, $"data root {root}", $"{volumes} volumes of the cluster, such as {name}, lie in another data root than this host's {daemon.Settings.DataRoot}, and cannot be used here",
                "mount the cluster's shared directory there on all hosts, and start volman again");
        }
    }
}
