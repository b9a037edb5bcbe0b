using Npgsql;

namespace VolumeManager.Benchmarks.Servers;

/// <summary>
/// Fills a cluster's catalog with months of history by SQL: volumes with labels, a tenth of them mounted, mounts and unmounts with a failure now and then, and a sample a day of each
/// volume, so that what is held by day has as many rows as there are samples: the worst that these can be.
/// </summary>
internal static class ReportFill
{
    const int Hosts = 20;

    internal static async Task FillAsync(ClusterServer server, string database, int volumes, int events, int samples)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionString(database, throughProxy: false) + ";Command Timeout=0");
        await connection.OpenAsync();
        async Task ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync();
        }
        await ExecuteAsync("SET synchronous_commit = off; SET maintenance_work_mem = '512MB'");
        foreach (var (what, sql) in Statements(volumes, events, samples / volumes))
        {
            Progress.Say($"reports: {what}");
            await ExecuteAsync(sql);
        }
        // What the server does by itself in the minutes after so much was written, and would do in the middle of a measurement.
        await ExecuteAsync("VACUUM ANALYZE");
        await ExecuteAsync("CHECKPOINT");
    }

    static IEnumerable<(string What, string Sql)> Statements(int volumes, int events, int samplesEach)
    {
        yield return ($"{volumes:N0} volumes", $"""
            INSERT INTO hosts (id, name, boot_id, version, engine_generation, instance_id, lease_expires_at, last_seen_at, state)
            SELECT gen_random_uuid(), 'node-' || i, 'boot', '0', 1, gen_random_uuid(), now() + interval '1 day', now(), 'live' FROM generate_series(1, {Hosts}) AS i;

            INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, revision, size_bytes,
                                 used_bytes, used_files, sampled_at, last_used_at, removed_at, purge_after)
            SELECT lpad(to_hex(i), 32, '0')::uuid, name, 'nfs', 'nas', '/volumes', name, false, 'shared', 0, 0, 493, 'trash', state, 1, now() - interval '200 days', 'node-1', i,
                   CASE WHEN i % 3 = 0 THEN 10737418240 END, i::bigint * 7919 % 10000000 * 1000, i % 50000, now() - interval '5 minutes',
                   CASE WHEN i % 7 > 0 THEN now() - i % 90 * interval '1 day' END, CASE WHEN state = 'trashed' THEN now() END, CASE WHEN state = 'trashed' THEN now() + interval '1 day' END
            FROM (SELECT i, 'vol-' || lpad(i::text, 8, '0') AS name, CASE WHEN i % 100 = 99 THEN 'trashed' ELSE 'ready' END AS state FROM generate_series(1, {volumes}) AS i) AS made;

            INSERT INTO volume_labels (volume_id, key, value) SELECT id, 'team', 'team-' || revision % 12 FROM volumes WHERE revision % 5 > 0;
            INSERT INTO volume_labels (volume_id, key, value) SELECT id, 'env', CASE WHEN revision % 2 = 0 THEN 'prod' ELSE 'test' END FROM volumes;

            INSERT INTO option_changes (volume_id, changed_at, key, old_value, new_value, host, actor)
            SELECT id, now() - revision % 30 * interval '1 day', 'size', '5G', '10G', 'node-1', 'anna' FROM volumes WHERE revision % 10 = 0;

            INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, epoch, mounted_at)
            SELECT v.id, h.id, md5(v.name || h.name), 1, 'boot', 1, 1, now() - v.revision % 60 * interval '1 day'
            FROM volumes v JOIN hosts h ON h.name IN ('node-' || v.revision % {Hosts} + 1, 'node-' || v.revision % 70 + 1) WHERE v.revision % 10 = 0;
            UPDATE catalog SET revision = {volumes};
            """);
        yield return ($"{events:N0} events", $"""
            INSERT INTO events (operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail, mounted_at)
            SELECT gen_random_uuid(), at, 'node-' || i % {Hosts} + 1, v.id, v.name,
                   CASE WHEN i % 1000 = 2 THEN 'remove' WHEN i % 2 = 0 THEN 'mount' ELSE 'unmount' END, md5(i::text), (i::bigint * 7919 % 100000) / 50.0,
                   CASE WHEN i % 100 = 0 THEN 'the NFS server nas does not answer' END, CASE WHEN i % 1000 = 2 THEN 'the directory stays at nas:/volumes/' || v.name END,
                   CASE WHEN i % 2 = 1 THEN at - i % 5000 * interval '1 minute' END
            FROM (SELECT i, now() - interval '90 days' * (1 - i::double precision / {events}) AS at FROM generate_series(1, {events}) AS i) e
            JOIN volumes v ON v.id = lpad(to_hex(e.i::bigint * 7919 % {volumes} + 1), 32, '0')::uuid ORDER BY at;
            """);
        // Indexes afterwards: quicker, and the same in the end. By day, as the sampler writes.
        yield return ($"{(long)volumes * samplesEach:N0} samples", $"""
            ALTER TABLE usage_samples DROP CONSTRAINT "PK_usage_samples";
            DROP INDEX "IX_usage_samples_taken_at";
            INSERT INTO usage_samples (volume_id, taken_at, bytes, files, host_id)
            SELECT v.id, now() - s * interval '1 day', v.used_bytes - v.used_bytes / 300 * s, v.used_files, h.id
            FROM generate_series({samplesEach} - 1, 0, -1) AS s, volumes v, hosts h WHERE h.name = 'node-1';
            ALTER TABLE usage_samples ADD CONSTRAINT "PK_usage_samples" PRIMARY KEY (volume_id, taken_at);
            CREATE INDEX "IX_usage_samples_taken_at" ON usage_samples (taken_at);
            """);
        yield return ("what was held by day", """
            ALTER TABLE usage_daily DROP CONSTRAINT "PK_usage_daily";
            DROP INDEX "IX_usage_daily_volume_id_day", "IX_usage_daily_sums";
            INSERT INTO usage_daily (day, volume_id, volume_name, bytes, files, min_bytes, max_bytes, sum_bytes, samples, sampled_at)
            SELECT (s.taken_at AT TIME ZONE 'UTC')::date, s.volume_id, v.name, bytes, files, bytes, bytes, bytes, 1, taken_at FROM usage_samples s JOIN volumes v ON v.id = s.volume_id;
            ALTER TABLE usage_daily ADD CONSTRAINT "PK_usage_daily" PRIMARY KEY (day, volume_id);
            CREATE INDEX "IX_usage_daily_volume_id_day" ON usage_daily (volume_id, day);
            CREATE INDEX "IX_usage_daily_sums" ON usage_daily (day, volume_id) INCLUDE (bytes, sum_bytes, samples);
            """);
    }
}
