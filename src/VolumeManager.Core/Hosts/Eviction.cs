using VolumeManager.Catalog;
using VolumeManager.Exports;

namespace VolumeManager.Hosts;

/// <summary>An operator's word that a host is no more: what it held is free, and its exclusive volumes get a new epoch, by which it knows if it comes back after all.</summary>
internal static class Eviction
{
    /// <summary>What became of a host's mounts.</summary>
    /// <param name="Mounts">How many were dropped.</param>
    /// <param name="Exclusive">The exclusive volumes among those that it held.</param>
    /// <param name="Exports">The exports that hosts of the cluster serve, and whether it is shut out of them.</param>
    internal sealed record Evicted(int Mounts, IReadOnlyList<string> Exclusive, IReadOnlyList<Fencing.Closed> Exports);

    /// <param name="by">Who says so, for the history.</param>
    /// <param name="force">Although its lease is good: it lives, and its containers go on writing.</param>
    /// <param name="dryRun">Only tells what would become of them.</param>
    /// <exception cref="VolumeException">There is no such host, or it lives. Nothing is changed.</exception>
    internal static async Task<Evicted> EvictAsync(PostgresDatabase database, string name, string by, bool force, bool dryRun = false)
    {
        Guid? id = null;
        var (isLive, isEvicted) = (false, false);
        // Of several of one name, which only evicted ones can be, the last row is the one that counts.
        await database.ReadAsync(
            $"SELECT id, lease_expires_at > now() AND instance_id IS NOT NULL, state = 'evicted' FROM hosts WHERE name = {name} ORDER BY state = 'evicted' DESC",
            row => (id, isLive, isEvicted) = (row.GetGuid(0), row.GetBoolean(1), row.GetBoolean(2)), CancellationToken.None);
        if (id is null) throw new NoSuchHostException(name);
        if (isEvicted) throw new VolumeException($"host {name} is evicted already and holds nothing: there is nothing left to do");
        if (isLive && !force)
        {
            throw new VolumeException($"host {name} is live: stop its containers and volman there first, or evict it with --force if its volumes must be free although it may still write to them");
        }

        if (!force) await CheckServesNothingAsync(database, name, id.Value);
        if (dryRun) return await ForetellAsync(database, id.Value);
        var exclusive = new List<string>();
        var mounts = 0;
        var host = id.Value;
        var change = Change.Of(
            $"UPDATE hosts SET state = 'evicted', instance_id = NULL, lease_expires_at = now() WHERE id = {host} AND state <> 'evicted' AND ({force} OR lease_expires_at <= now() OR instance_id IS NULL)",
            [
                $"""
                INSERT INTO events (operation, at, host, volume_id, volume_name, kind, caller_id, detail, mounted_at, actor)
                SELECT gen_random_uuid(), now(), {name}, v.id, v.name, {EventKind.HostEvict}, m.caller_id, {"evicted by " + by}, m.mounted_at, {TypedNull.Or(History.Actor)}
                FROM mounts m JOIN volumes v ON v.id = m.volume_id JOIN hosts h ON h.id = m.host_id WHERE h.id = {host} AND h.state = 'evicted'
                """,
                $"""
                INSERT INTO events (operation, at, host, kind, detail, actor)
                SELECT gen_random_uuid(), now(), {name}, {EventKind.HostEvict}, {"evicted by " + by}, {TypedNull.Or(History.Actor)} FROM hosts WHERE id = {host} AND state = 'evicted'
                """,
                $"""
                UPDATE volumes SET epoch = epoch + CASE WHEN access IN ('single-host', 'single-caller') THEN 1 ELSE 0 END, revision = (SELECT revision FROM catalog), last_used_at = now()
                WHERE id IN (SELECT volume_id FROM mounts JOIN hosts ON hosts.id = mounts.host_id WHERE host_id = {host} AND hosts.state = 'evicted')
                """,
                $"SELECT name, access FROM volumes WHERE revision = (SELECT revision FROM catalog) ORDER BY name",
                ExportRows.AskWithdrawal(host),
                $"DELETE FROM mounts WHERE host_id = {host} AND EXISTS (SELECT 1 FROM hosts WHERE id = {host} AND state = 'evicted') RETURNING caller_id",
            ]);
        var made = await database.ApplyAsync(change, row: (set, row) =>
        {
            if (set == 1) mounts++;
            else if (IsExclusive(row.GetString(1))) exclusive.Add(row.GetString(0));
        });
        if (made > 0) return new Evicted(mounts, exclusive, await Fencing.WaitAsync(database, host));
        throw new VolumeException($"host {name} has come back at this moment, and is live: nothing was changed");
    }

    static bool IsExclusive(string access) => access.StartsWith("single-", StringComparison.Ordinal);

    static async Task<Evicted> ForetellAsync(PostgresDatabase database, Guid host)
    {
        var (held, exports) = (new List<(string Volume, bool IsExclusive)>(), new List<Fencing.Closed>());
        await database.ReadAsync(
            $"SELECT v.name, v.access FROM mounts m JOIN volumes v ON v.id = m.volume_id WHERE m.host_id = {host} ORDER BY v.name",
            row => held.Add((row.GetString(0), IsExclusive(row.GetString(1)))), CancellationToken.None);
        await database.ReadAsync(
            ExportRows.OpenTo(host), row => exports.Add(new Fencing.Closed(NfsAddress.Source(row.GetString(0), row.GetString(1)), row.GetString(2), IsDone: false)), CancellationToken.None);
        return new Evicted(held.Count, [.. held.Where(h => h.IsExclusive).Select(h => h.Volume).Distinct()], exports);
    }

    static async Task CheckServesNothingAsync(PostgresDatabase database, string name, Guid host)
    {
        string? served = null;
        await database.ReadAsync($"SELECT server, path FROM exports WHERE host_id = {host}", row => served = NfsAddress.Source(row.GetString(0), row.GetString(1)), CancellationToken.None);
        if (served is null) return;
        throw new VolumeException($"host {name} serves {served} itself, and its containers cannot be shut out of their own disk: see that the machine is off, then evict it with --force");
    }
}

/// <summary>The cluster has no host of that name.</summary>
internal sealed class NoSuchHostException(string name) : VolumeException($"there is no host {name} to evict: see volman host ls");
