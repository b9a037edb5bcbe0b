using VolumeManager.Catalog;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>The statements about exports that hosts of the cluster serve, and about who may use them. Whom the serving host's kernel lets in is always among those
/// whose row says so: the row comes first when a host is let in, and last when it is shut out.</summary>
internal static class ExportRows
{
    /// <summary>Says that a host serves an export. Another host's is taken over only when that one is not live, and never with another directory's contents.</summary>
    internal static Change Publish(PublishedExport e) => Change.Of(
        $"""
        INSERT INTO exports (server, path, host_id, directory, root_id) VALUES ({e.Server}, {e.Path}, {e.HostId}, {e.Directory}, {e.RootId})
        ON CONFLICT (server, path) DO UPDATE SET host_id = excluded.host_id, directory = excluded.directory
        WHERE exports.root_id = excluded.root_id
          AND (exports.host_id = excluded.host_id OR EXISTS (SELECT 1 FROM hosts WHERE id = exports.host_id AND (state <> 'live' OR lease_expires_at < now())))
        """,
        [
            // What it served before under another name is closed, and the host itself is nobody's client there.
            $"""
            DELETE FROM exports WHERE host_id = {e.HostId} AND (server <> {e.Server} OR path <> {e.Path})
              AND EXISTS (SELECT 1 FROM exports WHERE server = {e.Server} AND path = {e.Path} AND host_id = {e.HostId} AND root_id = {e.RootId})
            """,
            $"""
            DELETE FROM export_clients WHERE server = {e.Server} AND path = {e.Path} AND host_id = {e.HostId}
              AND EXISTS (SELECT 1 FROM exports WHERE server = {e.Server} AND path = {e.Path} AND host_id = {e.HostId})
            """,
        ]);

    /// <summary>Who serves an export, and with what id.</summary>
    internal static FormattableString Server(string server, string path) =>
        $"SELECT h.id, h.name, x.root_id FROM exports x JOIN hosts h ON h.id = x.host_id WHERE x.server = {server} AND x.path = {path}";

    /// <summary>The export's row joined with each other host and what that may do. Last the serving host's own address.</summary>
    internal static FormattableString Clients(string server, string path, Guid hostId) => $"""
        SELECT x.host_id, h.id, h.name, h.state = 'live' AND h.lease_expires_at > now(), h.address, c.address, c.fsid, c.withdraw_asked_at, c.withdrawn_at, c.is_evicted,
          (SELECT address FROM hosts WHERE id = {hostId})
        FROM exports x LEFT JOIN hosts h ON h.id <> {hostId} LEFT JOIN export_clients c ON c.host_id = h.id AND c.server = x.server AND c.path = x.path
        WHERE x.server = {server} AND x.path = {path}
        """;

    /// <summary>Lets a live host in, for the first time or again. Again means with another fsid.</summary>
    internal static Change Admit(string server, string path, Guid client, Guid fsid) => Change.Of($"""
        INSERT INTO export_clients (server, path, host_id, address, fsid, is_evicted)
        SELECT {server}, {path}, id, address, {fsid}, FALSE FROM hosts WHERE id = {client} AND state = 'live' AND lease_expires_at > now() AND address IS NOT NULL
        ON CONFLICT (server, path, host_id) DO UPDATE SET address = excluded.address, fsid = excluded.fsid, withdraw_asked_at = NULL, withdrawn_at = NULL, is_evicted = FALSE
        WHERE export_clients.withdrawn_at IS NOT NULL
        """);

    /// <summary>A host comes from another address now.</summary>
    internal static Change Move(string server, string path, Guid client, string address) => Change.Of(
        $"UPDATE export_clients SET address = {address} WHERE server = {server} AND path = {path} AND host_id = {client}");

    /// <summary>The kernel refuses the host from now on.</summary>
    internal static Change SetWithdrawn(string server, string path, Guid client) => Change.Of(
        $"UPDATE export_clients SET withdrawn_at = now() WHERE server = {server} AND path = {path} AND host_id = {client} AND withdraw_asked_at IS NOT NULL AND withdrawn_at IS NULL");

    /// <summary>Nobody needs a host shut out any more that is live again: what was to be taken from it was not.</summary>
    internal static Change Spare(string server, string path, Guid client) => Change.Of($"""
        UPDATE export_clients SET withdraw_asked_at = NULL WHERE server = {server} AND path = {path} AND host_id = {client} AND NOT is_evicted AND withdrawn_at IS NULL
          AND EXISTS (SELECT 1 FROM hosts WHERE id = {client} AND state = 'live' AND lease_expires_at > now())
        """);

    /// <summary>This host serves no more.</summary>
    internal static Change Unpublish(Guid hostId) => Change.Of($"DELETE FROM exports WHERE host_id = {hostId}");

    /// <summary>Asks that the hosts be shut out that hold a volume and whose lease and grace are over. One that was never let in by volman may have come in another way.</summary>
    internal static Change AskWithdrawal(Volume v, Guid asker, TimeSpan grace) => Change.Of($"""
        INSERT INTO export_clients (server, path, host_id, address, fsid, withdraw_asked_at, is_evicted)
        SELECT DISTINCT ON (h.id) x.server, x.path, h.id, COALESCE(h.address, ''), gen_random_uuid(), now(), FALSE
        FROM exports x JOIN mounts m ON m.volume_id = {v.Id} AND m.host_id <> {asker} AND m.host_id <> x.host_id JOIN hosts h ON h.id = m.host_id
        WHERE x.server = {v.Server} AND x.path = {v.Export} AND (h.state = 'evicted' OR h.lease_expires_at + {grace} < now())
        ON CONFLICT (server, path, host_id) DO UPDATE SET withdraw_asked_at = now() WHERE export_clients.withdraw_asked_at IS NULL
        """);

    /// <summary>Asks that a host which is evicted in the same transaction be shut out of all exports.</summary>
    internal static FormattableString AskWithdrawal(Guid evicted) => $"""
        UPDATE export_clients SET is_evicted = TRUE, withdraw_asked_at = COALESCE(withdraw_asked_at, now())
        WHERE host_id = {evicted} AND withdrawn_at IS NULL AND EXISTS (SELECT 1 FROM hosts WHERE id = {evicted} AND state = 'evicted')
        """;

    /// <summary>Who is to be shut out of an export and is not yet, and by whom.</summary>
    internal static FormattableString Withdrawing(string server, string path, Guid except) => $"""
        SELECT DISTINCT h.name, s.name FROM export_clients c JOIN exports x ON x.server = c.server AND x.path = c.path JOIN hosts h ON h.id = c.host_id JOIN hosts s ON s.id = x.host_id
        WHERE c.server = {server} AND c.path = {path} AND c.host_id <> {except} AND c.withdraw_asked_at IS NOT NULL AND c.withdrawn_at IS NULL
          AND (c.is_evicted OR h.state <> 'live' OR h.lease_expires_at <= now())
        """;

    /// <summary>What a host can use now, and who serves it.</summary>
    internal static FormattableString OpenTo(Guid client) => $"""
        SELECT x.server, x.path, s.name FROM export_clients c JOIN exports x ON x.server = c.server AND x.path = c.path JOIN hosts s ON s.id = x.host_id
        WHERE c.host_id = {client} AND c.withdrawn_at IS NULL ORDER BY x.server, x.path
        """;

    /// <summary>What an evicted host could use, who serves it, and whether it is shut out by now. It may have come back and been let in again since.</summary>
    internal static FormattableString Of(Guid client) => $"""
        SELECT x.server, x.path, s.name, c.withdrawn_at IS NOT NULL OR NOT c.is_evicted FROM export_clients c JOIN exports x ON x.server = c.server AND x.path = c.path JOIN hosts s ON s.id = x.host_id
        WHERE c.host_id = {client} ORDER BY x.server, x.path
        """;
}
