using static VolumeManager.Reports.ColumnKind;
using static VolumeManager.Reports.ReportFilter;

namespace VolumeManager.Reports;

/// <summary>The reports of <c>volman report</c>.</summary>
internal static class StandardReports
{
    static readonly TimeSpan s_week = TimeSpan.FromDays(7);
    static readonly TimeSpan s_month = TimeSpan.FromDays(30);

    internal static readonly IReadOnlyList<Report> All =
    [
        new("volumes", "The volumes and what they hold, the largest first", ReportFilter.Since | Label | ReportFilter.Host | ReportFilter.Volume,
            [
                new("volume"), new("state"), new("used_bytes", Bytes), new("size_bytes", Bytes), new("used_files", Count), new("mounts", Count), new("hosts"), new("last_used_at", Time), new("created_at", Time),
                new("labels", Labels), new("in_use", Flag, ForPrograms: true), new("backend", ForPrograms: true), new("server", ForPrograms: true), new("export", ForPrograms: true),
                new("directory", ForPrograms: true), new("used_at", Time, ForPrograms: true), new("volume_id", Id, ForPrograms: true),
            ],
            asked => $"""
                SELECT r.volume, r.state, r.used_bytes, r.size_bytes, r.used_files, r.mounts, r.hosts, r.last_used_at, r.created_at, r.labels, r.in_use, r.backend, r.server, r.export, r.directory, r.used_at, r.volume_id
                FROM report_volumes r
                WHERE {asked.Where("r.volume_id", "r.volume", (asked.Host is not null, "EXISTS (SELECT 1 FROM report_mounts m WHERE m.volume_id = r.volume_id AND m.host = @Host)"), (asked.Since is not null, "r.created_at >= @Since"))}
                ORDER BY r.used_bytes DESC NULLS LAST, r.volume, r.volume_id
                """,
            Since: "Only volumes that were created since then"),

        new("usage", "How much was held by day, of all volumes or those that fit", ReportFilter.Since | Label | ReportFilter.Volume,
            [new("day", Day), new("volumes", Count), new("bytes", Bytes), new("files", Count), new("gib_days", Number)],
            asked => $"""
                SELECT u.day, count(*) AS volumes, CAST(sum(u.bytes) AS bigint) AS bytes, CAST(sum(u.files) AS bigint) AS files, sum(u.gib_days) AS gib_days
                FROM report_usage_daily u
                WHERE {asked.Where("u.volume_id", "u.volume", (true, "u.day >= @SinceDay"))}
                GROUP BY u.day
                ORDER BY u.day
                """,
            Since: "Only days since then", DefaultSince: s_month, Chart: ("day", "bytes")),

        new("idle", "The volumes that nobody uses, those first that wait longest", ReportFilter.Since | Label | ReportFilter.Volume,
            [
                new("volume"), new("idle_since", Time), new("idle_days", Number), new("used_bytes", Bytes), new("last_used_at", Time), new("created_at", Time), new("labels", Labels),
                new("volume_id", Id, ForPrograms: true),
            ],
            asked => $"""
                SELECT r.volume, r.idle_since, r.idle_days, r.used_bytes, r.last_used_at, r.created_at, r.labels, r.volume_id
                FROM report_idle_volumes r
                WHERE {asked.Where("r.volume_id", "r.volume", (asked.Since is not null, "r.idle_since <= @Since"))}
                ORDER BY r.idle_since, r.volume
                """,
            Since: "Only volumes that were not used since then"),

        new("mounts", "Who uses which volume where now, since when, the oldest first", ReportFilter.Since | Label | ReportFilter.Host | ReportFilter.Volume,
            [new("volume"), new("host"), new("host_state"), new("mounted_at", Time), new("seconds", Seconds), new("count", Count), new("caller_id"), new("volume_id", Id, ForPrograms: true)],
            asked => $"""
                SELECT r.volume, r.host, r.host_state, r.mounted_at, r.seconds, r.count, r.caller_id, r.volume_id
                FROM report_mounts r
                WHERE {asked.Where("r.volume_id", "r.volume", (asked.Host is not null, "r.host = @Host"), (asked.Since is not null, "r.mounted_at >= @Since"))}
                ORDER BY r.mounted_at, r.volume, r.host, r.caller_id
                """,
            Since: "Only mounts that began since then"),

        new("history", "Who used which volume where and for how long, the latest first", ReportFilter.Since | Label | ReportFilter.Host | ReportFilter.Volume,
            [new("volume"), new("host"), new("mounted_at", Time), new("ended_at", Time), new("seconds", Seconds), new("ended_by"), new("caller_id"), new("volume_id", Id, ForPrograms: true)],
            asked => $"""
                SELECT r.volume, r.host, r.mounted_at, r.ended_at, r.seconds, r.ended_by, r.caller_id, r.volume_id
                FROM report_mount_history r
                WHERE {asked.Where("r.volume_id", "r.volume", (asked.Host is not null, "r.host = @Host"), (true, "(r.ended_at IS NULL OR r.ended_at >= @Since)"))}
                ORDER BY r.mounted_at DESC, r.volume, r.host, r.caller_id
                """,
            Since: "Only mounts that were there then or later", DefaultSince: s_week),

        new("hosts", "The hosts and how much they have mounted, the busiest first", ReportFilter.Host,
            [new("host"), new("state"), new("mounts", Count), new("volumes", Count), new("address"), new("version"), new("engine_starts", Count), new("last_seen_at", Time), new("host_id", Id, ForPrograms: true)],
            asked => $"""
                SELECT r.host, r.state, r.mounts, r.volumes, r.address, r.version, r.engine_starts, r.last_seen_at, r.host_id
                FROM report_hosts r
                WHERE {(asked.Host is null ? "TRUE" : "r.host = @Host")}
                ORDER BY r.mounts DESC, r.host, r.host_id
                """),

        // Then is the end of that day. A volume that is younger began with nothing; of one that was not measured yet the first day counts.
        new("growth", "How much the volumes have grown, the fastest first", ReportFilter.Since | Label | ReportFilter.Volume,
            [new("volume"), new("grown_bytes", Bytes), new("bytes_then", Bytes), new("bytes_now", Bytes), new("size_bytes", Bytes), new("volume_id", Id, ForPrograms: true)],
            asked => $"""
                SELECT g.volume, g.bytes_now - g.bytes_then AS grown_bytes, g.bytes_then, g.bytes_now, g.size_bytes, g.volume_id
                FROM (SELECT r.volume_id, r.volume, r.size_bytes, r.used_bytes AS bytes_now,
                             CASE WHEN r.created_at >= @SinceDayEnd THEN 0 ELSE COALESCE(
                                 (SELECT u.bytes FROM report_usage_daily u WHERE u.volume_id = r.volume_id AND u.day <= @SinceDay ORDER BY u.day DESC LIMIT 1),
                                 (SELECT u.bytes FROM report_usage_daily u WHERE u.volume_id = r.volume_id AND u.day > @SinceDay ORDER BY u.day LIMIT 1),
                                 r.used_bytes) END AS bytes_then
                      FROM report_volumes r
                      WHERE {asked.Where("r.volume_id", "r.volume", (true, "r.state = 'ready'"), (true, "r.used_bytes IS NOT NULL"))}) g
                ORDER BY grown_bytes DESC, g.volume
                """,
            Since: "Compared with the end of that day", DefaultSince: s_month, Chart: ("volume", "grown_bytes")),

        // A key alone groups, a value of it picks.
        new("cost", "GiB-days by volume, or with a label's key by its values; of volumes that are gone too", ReportFilter.Since | Label | ReportFilter.Volume | Price,
            [new("label"), new("volume"), new("volumes", Count), new("gib_days", Number), new("gib_months", Number), new("cost", Number)],
            asked => $"""
                SELECT {(IsGrouped(asked) ? "COALESCE(l.value, '')" : "l.value")} AS label, {(IsGrouped(asked) ? "NULL" : "c.volume")} AS volume, {(IsGrouped(asked) ? "count(*)" : "1")} AS volumes,
                       {Sum(asked, "c.gib_days")} AS gib_days, {Sum(asked, "c.gib_days")} / 30 AS gib_months, {(asked.Price is null ? "NULL" : $"{Sum(asked, "c.gib_days")} / 30 * @Price")} AS cost
                FROM (SELECT u.volume_id, max(u.volume) AS volume, sum(u.gib_days) AS gib_days
                      FROM report_usage_daily u
                      WHERE {(asked with { LabelKey = asked.LabelValue is null ? null : asked.LabelKey }).Where("u.volume_id", "u.volume", (true, "u.day >= @SinceDay"))}
                      GROUP BY u.volume_id) c
                LEFT JOIN report_labels l ON l.volume_id = c.volume_id AND l.key = @LabelKey
                {(IsGrouped(asked) ? "GROUP BY l.value" : "")}
                ORDER BY gib_days DESC, label, volume
                """,
            Since: "Only days since then", DefaultSince: s_month),
    ];

    static bool IsGrouped(ReportFilters asked) => asked is { LabelKey: not null, LabelValue: null };

    static string Sum(ReportFilters asked, string column) => IsGrouped(asked) ? $"sum({column})" : column;
}
