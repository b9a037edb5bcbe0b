using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Data.Common;
using Npgsql;
using VolumeManager.Catalog;
using VolumeManager.Volumes;

namespace VolumeManager.Hosts;

/// <summary>This host's place among the cluster's hosts: its registration and its lease, all judged by the database's clock, and what is known of the others.</summary>
internal sealed class Membership(ThisHost host, Settings settings, PostgresDatabase database, ClusterClock clock)
{
    // One run of the daemon: of two that speak for one host in one boot the later one counts. Ordered by the time since the boot, for clocks are set back.
    readonly Guid _run = Guid.CreateVersion7(DateTimeOffset.UnixEpoch.AddMilliseconds(Environment.TickCount64));
    readonly TimeSpan _lease = settings.Lease;
    int _joins;
    readonly ConcurrentDictionary<Guid, HostInfo> _hosts = new() { [host.Id] = new HostInfo(host.Name, "live") };
    Guid _instance;
    DateTime? _othersLease;

    // When the last answer began that was heard to its end, by the database's clock: what had changed before is known here.
    DateTime _heardAt = DateTime.UnixEpoch;

    internal DateTime Now => clock.Now;

    /// <summary>Not later than the database has it.</summary>
    internal DateTime LeaseExpiresAt => _heardAt + _lease;

    internal HostInfo InfoOf(Guid id) => _hosts.TryGetValue(id, out var info) ? info : new HostInfo(id.ToString(), "lost");

    internal void Learn(Guid id, HostInfo info) => _hosts[id] = info;

    /// <summary>The change, to be made only while this host is the member that it is now.</summary>
    internal Change ByThisHost(Change change) => change.By(host.Id, _instance);

    /// <summary>Writes down that this host runs, in this boot, as this instance, and takes the lease.</summary>
    /// <exception cref="HostRefusedException">Another machine has this host's name or id.</exception>
    /// <exception cref="CatalogAwayException">An earlier boot of this host still has the lease, or a copy of it that is not known to live: wait.</exception>
    internal async Task RegisterAsync()
    {
        var address = settings.Address.Length > 0 ? settings.Address : await database.OwnAddressAsync();
        _instance = NextInstance();
        // last_seen_at stays for now: it says when the host had told all that it knew.
        var register = Change.Quiet($"""
            INSERT INTO hosts (id, name, address, boot_id, version, engine_generation, instance_id, lease_expires_at, last_seen_at, state)
            VALUES ({host.Id}, {host.Name}, {TypedNull.Or(address)}, {host.BootId}, {ProgramVersion.Text}, {host.Engine.Current}, {_instance}, now() + {_lease}, now(), 'live')
            ON CONFLICT (id) DO UPDATE
            SET name = excluded.name, address = COALESCE(excluded.address, hosts.address), boot_id = excluded.boot_id, version = excluded.version, engine_generation = excluded.engine_generation,
                instance_id = excluded.instance_id, lease_expires_at = excluded.lease_expires_at, state = 'live'
            WHERE hosts.instance_id IS NULL OR (hosts.boot_id = excluded.boot_id AND hosts.instance_id <= excluded.instance_id) OR hosts.lease_expires_at <= now() OR hosts.state = 'evicted'
            """);
        try
        {
            var answered = DateTime.UnixEpoch;
            if (await database.ApplyAsync(register, $"SELECT now()", (_, row) => answered = ReadClock(row)) > 0)
            {
                (_othersLease, _heardAt) = (null, answered);
                return;
            }
        }
        catch (VolumeException e) when (e.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation })
        {
            throw await NameTakenAsync();
        }

        throw await IdTakenAsync();
    }

    /// <summary>Later than all earlier ones of this run, and of earlier runs: what was sent under those and arrives late counts no more.</summary>
    Guid NextInstance()
    {
        Span<byte> bytes = stackalloc byte[16];
        _run.TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(bytes[12..], ++_joins);
        return new Guid(bytes, bigEndian: true);
    }

    async Task<HostRefusedException> NameTakenAsync()
    {
        var other = "";
        await database.ReadAsync(
            $"SELECT id, COALESCE(address, 'unknown'), last_seen_at FROM hosts WHERE name = {host.Name} AND state <> 'evicted'",
            row => other = $"id {row.GetGuid(0)}, address {row.GetString(1)}, last seen {row.GetUtc(2):u}", CancellationToken.None);
        return new HostRefusedException(
            $"the host name {host.Name} belongs to another host of this cluster ({other}): choose another --host-name or, if that machine is no more, run volman host evict {host.Name}");
    }

    async Task<VolumeException> IdTakenAsync()
    {
        var (other, expires, sameBoot) = ("", DateTime.MinValue, false);
        await database.ReadAsync(
            $"SELECT name, COALESCE(address, 'unknown'), lease_expires_at, boot_id = {host.BootId} FROM hosts WHERE id = {host.Id}",
            row => (other, expires, sameBoot) = ($"name {row.GetString(0)}, address {row.GetString(1)}", row.GetUtc(2), row.GetBoolean(3)), CancellationToken.None);
        // This host before its reboot does not renew its lease any more. Who does is another machine, or another daemon.
        if (sameBoot || (_othersLease is { } seen && seen < expires))
        {
            return new HostRefusedException(
                $"another volman speaks for this host's id {host.Id} ({other}): a state directory must not be copied; stop the other, or delete host-id and ledger.db in this one's to make it a host of its own");
        }

        _othersLease ??= expires;
        return new CatalogAwayException($"this host's lease of before its reboot runs until {expires:u}; it takes part again then");
    }

    /// <summary>Renews the lease, marks the hosts whose lease has run out, and hears of all hosts and of what has changed since a revision: one round trip.</summary>
    /// <exception cref="CatalogAwayException">The lease had run out before, or an operator evicted this host: it has to join anew.</exception>
    internal async Task RenewAsync(long knownRevision, Action<DbDataReader> changed)
    {
        var answered = _heardAt;
        var affected = await database.RunAsync(
            [
                $"""
                UPDATE hosts SET lease_expires_at = now() + {_lease}, last_seen_at = {_heardAt}, engine_generation = {host.Engine.Current}
                WHERE id = {host.Id} AND instance_id = {_instance} AND state = 'live' AND lease_expires_at > now()
                """,
                $"""
                WITH lost AS (
                    UPDATE hosts SET state = 'lost'
                    WHERE id IN (SELECT id FROM hosts WHERE state = 'live' AND lease_expires_at < now() FOR UPDATE SKIP LOCKED) RETURNING name)
                INSERT INTO events (operation, at, host, kind, detail) SELECT gen_random_uuid(), now(), name, {EventKind.HostLost}, 'its lease ran out' FROM lost
                """,
                SharedVolumeRows.Hosts,
                $"SELECT now()",
                SharedVolumeRows.ChangedSince(knownRevision),
            ],
            (set, row) =>
            {
                if (set == 0) Learn(row.GetGuid(0), new HostInfo(row.GetString(1), row.GetString(2)));
                else if (set == 1) answered = ReadClock(row);
                else changed(row);
            },
            CancellationToken.None);
        _heardAt = answered;
        if (affected[0] == 0) throw new CatalogAwayException("this host's lease ran out, or it was evicted; it joins the cluster anew");
    }

    /// <summary>Renews the lease alone, for a join that takes long.</summary>
    internal FormattableString Prolong => $"UPDATE hosts SET lease_expires_at = now() + {_lease} WHERE id = {host.Id} AND instance_id = {_instance} AND state = 'live' AND lease_expires_at > now()";

    /// <summary>An orderly end: another daemon may speak for this host at once. The lease runs on, for the mounts are still there.</summary>
    internal Task LeaveAsync() => database.ApplyAsync(Change.Quiet($"UPDATE hosts SET instance_id = NULL WHERE id = {host.Id} AND instance_id = {_instance}"));

    DateTime ReadClock(DbDataReader row)
    {
        var now = row.GetUtc(0);
        clock.Hear(now);
        return now;
    }
}

/// <summary>This host must not take part in the cluster as it is set up; the daemon ends with this message.</summary>
internal sealed class HostRefusedException(string message) : VolumeException(message);
