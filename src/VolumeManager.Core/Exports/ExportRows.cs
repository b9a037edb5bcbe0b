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
        """);

    /// <summary>The export's row joined with each other host and what that may do.</summary>
    internal static FormattableString Clients(string server, string path, Guid hostId) => $"""
        SELECT x.host_id, h.id, h.name, h.state = 'live' AND h.lease_expires_at > now(), h.address, c.address, c.fsid, c.withdraw_asked_at, c.withdrawn_at
        FROM exports x LEFT JOIN hosts h ON h.id <> {hostId} LEFT JOIN export_clients c ON c.host_id = h.id AND c.server = x.server AND c.path = x.path
        WHERE x.server = {server} AND x.path = {path}
        """;

    /// <summary>Lets a live host in, for the first time or again. Again means with another fsid.</summary>
    internal static Change Admit(string server, string path, Guid client, Guid fsid) => Change.Of($"""
        INSERT INTO export_clients (server, path, host_id, address, fsid)
        SELECT {server}, {path}, id, address, {fsid} FROM hosts WHERE id = {client} AND state = 'live' AND lease_expires_at > now() AND address IS NOT NULL
        ON CONFLICT (server, path, host_id) DO UPDATE SET address = excluded.address, fsid = excluded.fsid, withdraw_asked_at = NULL, withdrawn_at = NULL
        WHERE export_clients.withdrawn_at IS NOT NULL
        """);

    /// <summary>A host comes from another address now.</summary>
    internal static Change Move(string server, string path, Guid client, string address) => Change.Of(
        $"UPDATE export_clients SET address = {address} WHERE server = {server} AND path = {path} AND host_id = {client}");

    /// <summary>The kernel refuses the host from now on.</summary>
    internal static Change SetWithdrawn(string server, string path, Guid client) => Change.Of(
        $"UPDATE export_clients SET withdrawn_at = now() WHERE server = {server} AND path = {path} AND host_id = {client} AND withdraw_asked_at IS NOT NULL AND withdrawn_at IS NULL");

    /// <summary>This host serves no more.</summary>
    internal static Change Unpublish(Guid hostId) => Change.Of($"DELETE FROM exports WHERE host_id = {hostId}");

    /// <summary>Asks that the hosts be shut out that hold a volume and whose lease and grace are over.</summary>
    internal static Change AskWithdrawal(Volume v, Guid asker, TimeSpan grace) => Change.Of($"""
        UPDATE export_clients SET withdraw_asked_at = now()
        WHERE server = {v.Server} AND path = {v.Export} AND withdraw_asked_at IS NULL
          AND host_id IN (SELECT host_id FROM mounts JOIN hosts ON hosts.id = host_id
                          WHERE volume_id = {v.Id} AND host_id <> {asker} AND (hosts.state = 'evicted' OR hosts.lease_expires_at + {grace} < now()))
        """);

    /// <summary>Asks that a host which is evicted in the same transaction be shut out of all exports.</summary>
    internal static FormattableString AskWithdrawal(Guid evicted) =>
        $"UPDATE export_clients SET withdraw_asked_at = now() WHERE host_id = {evicted} AND withdraw_asked_at IS NULL AND EXISTS (SELECT 1 FROM hosts WHERE id = {evicted} AND state = 'evicted')";

    /// <summary>Who is to be shut out of an export and is not yet, and by whom.</summary>
    internal static FormattableString Withdrawing(string server, string path, Guid except) => $"""
        SELECT DISTINCT h.name, s.name FROM export_clients c JOIN exports x ON x.server = c.server AND x.path = c.path JOIN hosts h ON h.id = c.host_id JOIN hosts s ON s.id = x.host_id
        WHERE c.server = {server} AND c.path = {path} AND c.host_id <> {except} AND c.withdraw_asked_at IS NOT NULL AND c.withdrawn_at IS NULL
        """;

    /// <summary>What an evicted host could use, who serves it, and whether it is shut out by now.</summary>
    internal static FormattableString Of(Guid client) => $"""
        SELECT x.server, x.path, s.name, c.withdrawn_at IS NOT NULL FROM export_clients c JOIN exports x ON x.server = c.server AND x.path = c.path JOIN hosts s ON s.id = x.host_id
        WHERE c.host_id = {client} ORDER BY x.server, x.path
        """;
}
