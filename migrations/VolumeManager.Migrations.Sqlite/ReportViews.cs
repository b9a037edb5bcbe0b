using Microsoft.EntityFrameworkCore.Migrations;

namespace VolumeManager.Migrations.Sqlite;

/// <summary>
/// The views of docs/reporting.md, a contract: the same names and columns as in the PostgreSQL catalog. A migration that rebuilds a table, as SQLite must for most changes of one,
/// drops them first and makes them again (docs/decisions/0019).
/// </summary>
internal static class ReportViews
{
    static readonly string[] s_names =
    [
        "report_volumes", "report_labels", "report_mounts", "report_hosts", "report_usage_daily", "report_idle_volumes", "report_mount_history", "report_events", "report_option_changes",
    ];

    const string Labels = "(SELECT json_group_object(key, value) FROM (SELECT l.key, l.value FROM volume_labels l WHERE l.volume_id = v.id ORDER BY l.key)) AS labels";

    // Of durations: a Julian day is exact to a twentieth of a millisecond, so what lies behind the millisecond is not told.
    internal static void Create(MigrationBuilder migration)
    {
        migration.Sql($"""
            CREATE VIEW report_volumes AS
            SELECT v.id AS volume_id, v.name AS volume, v.state, v.backend, v.server, v.export, v.directory, v.access, v.on_remove, v.size_bytes, v.used_bytes, v.used_files, v.sampled_at AS used_at,
                   EXISTS (SELECT 1 FROM mounts m WHERE m.volume_id = v.id) AS in_use,
                   (SELECT count(*) FROM mounts m WHERE m.volume_id = v.id) AS mounts,
                   (SELECT COALESCE(group_concat(name, ','), '') FROM (SELECT DISTINCT h.name FROM mounts m JOIN hosts h ON h.id = m.host_id WHERE m.volume_id = v.id ORDER BY h.name)) AS hosts,
                   v.created_at, v.created_on_host, v.last_used_at, v.removed_at, v.purge_after,
                   {Labels}
            FROM volumes v WHERE v.state <> 'gone';
            """);
        migration.Sql("""
            CREATE VIEW report_labels AS
            SELECT volume_id, key, value FROM volume_labels
            UNION ALL
            SELECT volume_id, key, value FROM former_labels;
            """);
        migration.Sql("""
            CREATE VIEW report_mounts AS
            SELECT m.volume_id, v.name AS volume, m.host_id, h.name AS host, h.state AS host_state, m.caller_id, m.count, m.mounted_at,
                   round((julianday('now') - julianday(m.mounted_at)) * 86400, 3) AS seconds
            FROM mounts m JOIN volumes v ON v.id = m.volume_id JOIN hosts h ON h.id = m.host_id;
            """);
        migration.Sql("""
            CREATE VIEW report_hosts AS
            SELECT h.id AS host_id, h.name AS host, h.state, h.address, h.version, h.last_seen_at, h.lease_expires_at, h.engine_generation AS engine_starts,
                   (SELECT count(*) FROM mounts m WHERE m.host_id = h.id) AS mounts,
                   (SELECT count(DISTINCT m.volume_id) FROM mounts m WHERE m.host_id = h.id) AS volumes
            FROM hosts h;
            """);
        migration.Sql("""
            CREATE VIEW report_usage_daily AS
            SELECT day, volume_id, volume_name AS volume, bytes, files, min_bytes, max_bytes, sum_bytes / samples AS mean_bytes, CAST(sum_bytes AS REAL) / samples / 1073741824 AS gib_days,
                   samples, sampled_at
            FROM usage_daily;
            """);
        migration.Sql($"""
            CREATE VIEW report_idle_volumes AS
            SELECT v.id AS volume_id, v.name AS volume, v.backend, v.created_at, v.last_used_at, COALESCE(v.last_used_at, v.created_at) AS idle_since,
                   julianday('now') - julianday(COALESCE(v.last_used_at, v.created_at)) AS idle_days, v.size_bytes, v.used_bytes, v.sampled_at AS used_at,
                   {Labels}
            FROM volumes v
            WHERE v.state = 'ready' AND NOT EXISTS (SELECT 1 FROM mounts m WHERE m.volume_id = v.id);
            """);
        migration.Sql("""
            CREATE VIEW report_mount_history AS
            SELECT m.volume_id, v.name AS volume, h.name AS host, m.caller_id, m.mounted_at, NULL AS ended_at, NULL AS ended_by,
                   round((julianday('now') - julianday(m.mounted_at)) * 86400, 3) AS seconds
            FROM mounts m JOIN volumes v ON v.id = m.volume_id JOIN hosts h ON h.id = m.host_id
            UNION ALL
            SELECT e.volume_id, e.volume_name, e.host, e.caller_id, e.mounted_at, e.at, e.kind, round((julianday(e.at) - julianday(e.mounted_at)) * 86400, 3)
            FROM events e WHERE e.mounted_at IS NOT NULL;
            """);
        migration.Sql("""
            CREATE VIEW report_events AS
            SELECT id AS event_id, at, host, volume_id, volume_name AS volume, kind, caller_id, duration_ms, error, detail, actor FROM events;
            """);
        migration.Sql("""
            CREATE VIEW report_option_changes AS
            SELECT c.volume_id, v.name AS volume, c.changed_at, c.key, c.old_value, c.new_value, c.host, c.actor FROM option_changes c JOIN volumes v ON v.id = c.volume_id;
            """);
    }

    internal static void Drop(MigrationBuilder migration)
    {
        foreach (var name in s_names) migration.Sql($"DROP VIEW {name};");
    }
}
