namespace VolumeManager.Benchmarks.Servers;

/// <summary>
/// Fills a cluster's catalog by SQL, as if another host had made its volumes and used them: through Create it would take minutes. The directories are missing
/// until a volume is first mounted, which is as after a loss of power.
/// </summary>
internal static class ClusterFill
{
    /// <summary>Of so many volumes one is mounted on the other host.</summary>
    const int OneMountedOf = 10;

    /// <summary>Volume 0 is <c>vol-00000000</c>, as in the homes of the other measurements.</summary>
    internal static async Task FillAsync(ClusterServer server, ClusterHome home, int volumes, int events)
    {
        var root = await RootIdAsync(home);
        await server.ExecuteAsync(
            $"""
            INSERT INTO hosts (id, name, boot_id, version, engine_generation, instance_id, lease_expires_at, last_seen_at, state)
            VALUES (gen_random_uuid(), 'other', 'boot', '0', 1, gen_random_uuid(), now() + interval '1 day', now(), 'live');

            INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, revision)
            SELECT gen_random_uuid(), name, 'local', '', '{root}', name, false, 'shared', 0, 0, 493, 'trash', 'ready', 1, now(), 'other', i + 1
            FROM (SELECT i, '{FilledHomes.Prefix}' || lpad(i::text, 8, '0') AS name FROM generate_series(0, {volumes} - 1) AS i) AS made;

            INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, epoch, mounted_at)
            SELECT v.id, h.id, repeat('d', 64), 1, 'boot', 1, 1, now() FROM volumes v, hosts h WHERE v.revision % {OneMountedOf} = 0 AND h.name = 'other';

            INSERT INTO events (operation, at, host, volume_id, volume_name, kind, caller_id)
            SELECT gen_random_uuid(), now(), 'other', v.id, v.name, CASE WHEN i % 2 = 0 THEN 'mount' ELSE 'unmount' END, repeat('d', 64)
            FROM generate_series(0, {events} - 1) AS i JOIN volumes v ON v.revision = i % {volumes} + 1;

            UPDATE catalog SET revision = {volumes};
            """, home.Database);
        // What the server does by itself in the minutes after so much was written, and would do in the middle of a measurement.
        await server.ExecuteAsync("VACUUM ANALYZE", home.Database);
        await server.ExecuteAsync("CHECKPOINT", home.Database);
    }

    /// <summary>The name that the first daemon would give the data root.</summary>
    static async Task<string> RootIdAsync(ClusterHome home)
    {
        var root = Guid.NewGuid().ToString();
        await File.WriteAllTextAsync(Path.Combine(home.DataRoot, ".volman-root"), root);
        return root;
    }
}
