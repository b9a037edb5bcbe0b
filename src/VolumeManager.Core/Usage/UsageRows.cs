using System.Data.Common;
using System.Runtime.CompilerServices;
using VolumeManager.Catalog;
using VolumeManager.Volumes;

namespace VolumeManager.Usage;

/// <summary>The statements about usage. None of them is a change of a volume: no revision is raised, and nobody waits for another.</summary>
internal static class UsageRows
{
    // Hosts do not read the catalog's clock to the same second.
    static readonly TimeSpan s_drift = TimeSpan.FromMinutes(1);

    /// <summary>The ids of the volumes that are to be measured, of those first that wait longest: never measured, or before <paramref name="before"/>, or in the future by a clock that was wrong.</summary>
    /// <param name="rootId">Of local volumes only those of this data root.</param>
    /// <param name="after">The last one of the batch before; null for the first batch.</param>
    internal static FormattableString Due(DateTime before, DateTime now, string rootId, Volume? after, int limit) => FormattableStringFactory.Create(
        $$"""
        SELECT id FROM volumes
        WHERE state = 'ready' AND (sampled_at IS NULL OR sampled_at <= {0} OR sampled_at > {1}) AND (backend = 'nfs' OR export = {2})
        {{(after is null ? "" : after.SampledAt is null ? "AND (sampled_at IS NOT NULL OR id > {4})" : "AND (sampled_at > {5} OR (sampled_at = {5} AND id > {4}))")}}
        ORDER BY sampled_at NULLS FIRST, id LIMIT {3}
        """,
        [before, now + s_drift, rootId, limit, .. after is null ? [] : after.SampledAt is { } at ? new object[] { after.Id, at } : [after.Id]]);

    /// <summary>The order of <see cref="Due"/>.</summary>
    internal static List<Volume> InOrderOfDue(IEnumerable<Volume> volumes) => [.. volumes.OrderBy(v => v.SampledAt).ThenBy(v => v.Id)];

    /// <summary>Writes down what a volume was found to hold, unless somebody else has done that since <paramref name="before"/>.</summary>
    internal static Change Keep(UsageSample sample, DateTime before) => Change.Quiet(
        $"""
        UPDATE volumes SET used_bytes = {sample.Bytes}, used_files = {sample.Files}, sampled_at = {sample.TakenAt}
        WHERE id = {sample.VolumeId} AND state = 'ready' AND (sampled_at IS NULL OR sampled_at <= {before} OR sampled_at > {sample.TakenAt + s_drift})
        """,
        [
            $"""
            INSERT INTO usage_samples (volume_id, taken_at, bytes, files, host_id)
            SELECT {sample.VolumeId}, {sample.TakenAt}, {sample.Bytes}, {sample.Files}, {sample.HostId} WHERE EXISTS (SELECT 1 FROM volumes WHERE id = {sample.VolumeId} AND sampled_at = {sample.TakenAt})
            ON CONFLICT DO NOTHING
            """,
            $"""
            INSERT INTO usage_daily (day, volume_id, volume_name, bytes, files, min_bytes, max_bytes, sum_bytes, samples, sampled_at)
            SELECT {DateOnly.FromDateTime(sample.TakenAt)}, id, name, {sample.Bytes}, {sample.Files}, {sample.Bytes}, {sample.Bytes}, {sample.Bytes}, 1, {sample.TakenAt}
            FROM volumes WHERE id = {sample.VolumeId} AND sampled_at = {sample.TakenAt}
            ON CONFLICT (day, volume_id) DO UPDATE
            SET volume_name = excluded.volume_name, bytes = excluded.bytes, files = excluded.files,
                min_bytes = CASE WHEN excluded.bytes < usage_daily.min_bytes THEN excluded.bytes ELSE usage_daily.min_bytes END,
                max_bytes = CASE WHEN excluded.bytes > usage_daily.max_bytes THEN excluded.bytes ELSE usage_daily.max_bytes END,
                sum_bytes = usage_daily.sum_bytes + excluded.sum_bytes, samples = usage_daily.samples + 1, sampled_at = excluded.sampled_at
            WHERE usage_daily.sampled_at < excluded.sampled_at
            """,
        ]);

    /// <summary>Adds a sample of another catalog, unless it is there.</summary>
    internal static FormattableString Append(UsageSample sample) => $"""
        INSERT INTO usage_samples (volume_id, taken_at, bytes, files, host_id)
        VALUES ({sample.VolumeId}, {sample.TakenAt}, {sample.Bytes}, {sample.Files}, {sample.HostId})
        ON CONFLICT DO NOTHING
        """;

    /// <summary>Adds a day of another catalog, unless it is there.</summary>
    internal static FormattableString Append(UsageDay day) => $"""
        INSERT INTO usage_daily (day, volume_id, volume_name, bytes, files, min_bytes, max_bytes, sum_bytes, samples, sampled_at)
        VALUES ({day.Day}, {day.VolumeId}, {day.VolumeName}, {day.Bytes}, {day.Files}, {day.MinBytes}, {day.MaxBytes}, {day.SumBytes}, {day.Samples}, {day.SampledAt})
        ON CONFLICT DO NOTHING
        """;

    internal const string DayColumns = "day, volume_id, volume_name, bytes, files, min_bytes, max_bytes, sum_bytes, samples, sampled_at";

    /// <param name="row">Of <see cref="DayColumns"/>.</param>
    internal static UsageDay ReadDay(DbDataReader row) => new()
    {
        Day = row.GetFieldValue<DateOnly>(0),
        VolumeId = row.GetGuid(1),
        VolumeName = row.GetString(2),
        Bytes = row.GetInt64(3),
        Files = row.GetInt64(4),
        MinBytes = row.GetInt64(5),
        MaxBytes = row.GetInt64(6),
        SumBytes = row.GetInt64(7),
        Samples = row.GetInt32(8),
        SampledAt = row.GetUtc(9),
    };

    /// <summary>Deletes the oldest days that are older than that.</summary>
    internal static FormattableString PruneDays(DateOnly before, int limit) =>
        $"DELETE FROM usage_daily WHERE (day, volume_id) IN (SELECT day, volume_id FROM usage_daily WHERE day < {before} ORDER BY day LIMIT {limit})";

    /// <summary>Deletes the labels of volumes that are gone, and of which no day is left.</summary>
    internal static FormattableString PruneLabels => $"DELETE FROM former_labels WHERE NOT EXISTS (SELECT 1 FROM usage_daily WHERE usage_daily.volume_id = former_labels.volume_id)";

    /// <summary>Deletes the oldest samples that are older than that.</summary>
    internal static FormattableString Prune(DateTime before, int limit) =>
        $"DELETE FROM usage_samples WHERE (volume_id, taken_at) IN (SELECT volume_id, taken_at FROM usage_samples WHERE taken_at < {before} ORDER BY taken_at LIMIT {limit})";
}
