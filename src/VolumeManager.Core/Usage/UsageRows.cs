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
        ]);

    /// <summary>Adds a sample of another catalog, unless it is there.</summary>
    internal static FormattableString Append(UsageSample sample) => $"""
        INSERT INTO usage_samples (volume_id, taken_at, bytes, files, host_id)
        VALUES ({sample.VolumeId}, {sample.TakenAt}, {sample.Bytes}, {sample.Files}, {sample.HostId})
        ON CONFLICT DO NOTHING
        """;

    /// <summary>Deletes the oldest samples that are older than that.</summary>
    internal static FormattableString Prune(DateTime before, int limit) =>
        $"DELETE FROM usage_samples WHERE (volume_id, taken_at) IN (SELECT volume_id, taken_at FROM usage_samples WHERE taken_at < {before} ORDER BY taken_at LIMIT {limit})";
}
