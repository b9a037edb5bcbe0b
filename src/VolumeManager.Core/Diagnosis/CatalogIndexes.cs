namespace VolumeManager.Diagnosis;

/// <summary>The indexes that the catalog has by its model, for EF Core's model costs too much memory to be asked in a daemon. A test compares them with it.</summary>
internal static class CatalogIndexes
{
    /// <param name="On">Table, columns and condition, as both databases write them.</param>
    internal sealed record Index(string Name, string On, bool IsUnique = false)
    {
        internal string Create(string manner) => $"CREATE {(IsUnique ? "UNIQUE " : "")}INDEX {manner}\"{Name}\" ON {On}";
    }

    internal static readonly Index[] All =
    [
        new("IX_access_tokens_hash", "access_tokens (hash)", IsUnique: true),
        new("IX_events_at", "events (at)"),
        new("IX_events_operation", "events (operation)", IsUnique: true),
        new("IX_events_volume_id", "events (volume_id)"),
        new("IX_export_clients_host_id", "export_clients (host_id)"),
        new("IX_exports_host_id", "exports (host_id)"),
        new("IX_hosts_name", "hosts (name) WHERE state <> 'evicted'", IsUnique: true),
        new("IX_mounts_host_id", "mounts (host_id)"),
        new("IX_usage_daily_volume_id_day", "usage_daily (volume_id, day)"),
        new("IX_usage_samples_taken_at", "usage_samples (taken_at)"),
        new("IX_volumes_directory_export_server", "volumes (directory, export, server) WHERE state IN ('ready', 'removing', 'restoring')"),
        new("IX_volumes_name", "volumes (name) WHERE state IN ('ready', 'removing', 'restoring')", IsUnique: true),
        new("IX_volumes_purge_after", "volumes (purge_after) WHERE state IN ('trashed', 'purging', 'gone')"),
        new("IX_volumes_revision", "volumes (revision)"),
        new("IX_volumes_sampled_at", "volumes (sampled_at) WHERE state = 'ready'"),
    ];
}
