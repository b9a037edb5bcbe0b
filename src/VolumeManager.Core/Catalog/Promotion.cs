using System.Data.Common;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>
/// Moves a single host's catalog into a cluster's: its history, then volumes, options, labels and mounts in one transaction. The host's own file becomes its ledger's start
/// and is kept under another name. Whatever interrupts it, it can be run again: what is there already is left alone.
/// </summary>
internal sealed class Promotion(StateDirectory state, string hostName, string rootId)
{
    const int Batch = 500;

    /// <summary>How much was moved.</summary>
    internal sealed record Moved(int Volumes, int Mounts, long Events)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Volumes} volumes, {Mounts} mounts and {Events} events");
    }

    string Kept => state.CatalogFile + ".promoted";

    /// <param name="progress">Told every so many events how far it is.</param>
    /// <exception cref="VolumeException">A name or directory is taken by another volume of the cluster, all are named; or there is no catalog. Nothing is changed.</exception>
    internal async Task<Moved> RunAsync(PostgresDatabase database, bool dryRun, TextWriter progress, CancellationToken cancellation)
    {
        if (!File.Exists(state.CatalogFile))
        {
            throw new VolumeException(File.Exists(Kept)
                ? $"this host's catalog was moved into a cluster already, and is kept as {Kept}: start volman serve with the database"
                : $"there is no catalog {state.CatalogFile} to move: start volman serve with the database");
        }

        await PostgresSchema.CheckAsync(database, newerIsRefused: true, cancellation);
        var moved = await MoveAsync(database, dryRun, progress, cancellation);
        if (dryRun) return moved;
        // Closed by now, so the file holds all: what is in its journal stays behind when it is moved.
        File.Move(state.CatalogFile, Kept, overwrite: true);
        foreach (var suffix in (string[])["-wal", "-shm"]) File.Delete(state.CatalogFile + suffix);
        return moved;
    }

    async Task<Moved> MoveAsync(PostgresDatabase database, bool dryRun, TextWriter progress, CancellationToken cancellation)
    {
        using var local = SqliteCatalog.Open(state.CatalogFile);
        if ((await SqliteCatalog.MigrateAsync(local, state.CatalogFile, migrate: true, dryRun)).Count > 0 && dryRun)
        {
            throw new VolumeException($"the catalog {state.CatalogFile} is of an older volman, so moving it cannot be tried: run volman migrate without a database first");
        }

        var volumes = await ReadVolumesAsync(local);
        // Tried first: what cannot be moved is told before anything is.
        var mounts = await database.RunAsync(connection => MoveVolumesAsync(connection, volumes, dryRun: true, cancellation), cancellation);
        var events = 0L;
        await local.ReadAsync($"SELECT count(*) FROM events", row => events = row.GetInt64(0));
        if (dryRun) return new Moved(volumes.Count, mounts, events);
        // History takes long and is in nobody's way; then volumes and mounts at once, while the cluster's changes wait.
        await database.RunAsync(connection => MoveEventsAsync(connection, local, progress, cancellation), cancellation);
        await database.RunAsync(connection => MoveSamplesAsync(connection, local, cancellation), cancellation);
        await database.RunAsync(connection => MoveDaysAsync(connection, local, cancellation), cancellation);
        var rest = await ReadRestAsync(local);
        await database.RunAsync(connection => MoveVolumesAsync(connection, volumes, dryRun: false, cancellation, rest), cancellation);
        await WriteLedgerAsync(local, volumes);
        return new Moved(volumes.Count, mounts, events);
    }

    /// <param name="more">What goes with the volumes.</param>
    /// <returns>How many mounts.</returns>
    async Task<int> MoveVolumesAsync(NpgsqlConnection connection, List<Volume> volumes, bool dryRun, CancellationToken cancellation, IReadOnlyList<FormattableString>? more = null)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        await ApplyAsync(connection, [$"UPDATE catalog SET revision = revision + 1 WHERE id = 1"]);
        // The lease is long, for this host's containers run on while volman does not. Without an instance the daemon may take it over at its start.
        var registered = await ApplyAsync(connection,
        [
            $"""
            INSERT INTO hosts (id, name, boot_id, version, engine_generation, lease_expires_at, last_seen_at, state)
            SELECT {state.HostId}, {hostName}, '', {ProgramVersion.Text}, 0, now() + interval '1 day', now(), 'live'
            WHERE NOT EXISTS (SELECT 1 FROM hosts WHERE name = {hostName} AND state <> 'evicted' AND id <> {state.HostId})
            ON CONFLICT (id) DO UPDATE SET version = excluded.version
            """,
        ]);
        if (registered[0] == 0) throw new VolumeException($"the host name {hostName} belongs to another host of the cluster: choose another --host-name, here and for volman serve");
        var taken = new List<string>();
        foreach (var some in volumes.Chunk(Batch / 5))
        {
            var statements = some.Select(v => (FormattableString[])[.. VolumeRows.Adopt(v), .. v.Mounts.Select(MountRows.PutNew)]).ToList();
            var affected = await ApplyAsync(connection, [.. statements.SelectMany(s => s)]);
            var first = 0;
            foreach (var (volume, its) in some.Zip(statements))
            {
                if (affected[first] == 0) taken.Add(volume.Name);
                first += its.Length;
            }
        }

        if (taken.Count > 0)
        {
            throw new VolumeException($"these volumes are in the cluster already, or their directories are: {string.Join(", ", taken)}; remove or rename them on one side, then try again");
        }

        foreach (var some in (more ?? []).Chunk(Batch)) await ApplyAsync(connection, some);
        if (dryRun) await transaction.RollbackAsync(cancellation);
        else await transaction.CommitAsync(cancellation);
        return volumes.Sum(v => v.Mounts.Length);
    }

    async Task<long> MoveEventsAsync(NpgsqlConnection connection, CatalogConnection local, TextWriter progress, CancellationToken cancellation)
    {
        var (moved, last) = (0L, 0L);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var batch = new List<FormattableString>();
            await local.ReadAsync(
                $"SELECT id, operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail, mounted_at, actor FROM events WHERE id > {last} ORDER BY id LIMIT {Batch}",
                row =>
                {
                    last = row.GetInt64(0);
                    // History of before there were operations gets one that is the same in each attempt.
                    var operation = row.IsDBNull(1) ? new Guid(SHA256.HashData(Encoding.ASCII.GetBytes($"{state.HostId} {last}")).AsSpan(0, 16)) : row.GetGuid(1);
                    batch.Add(EventRows.Append(EventRows.Read(row, operation)));
                });
            if (batch.Count == 0) return moved;
            await ApplyAsync(connection, batch);
            moved += batch.Count;
            if (moved % (100 * Batch) == 0) await progress.WriteLineAsync($"{moved} events …");
        }
    }

    /// <returns>How many samples of usage.</returns>
    static async Task<long> MoveSamplesAsync(NpgsqlConnection connection, CatalogConnection local, CancellationToken cancellation)
    {
        var (moved, last, volume) = (0L, DateTime.UnixEpoch, Guid.Empty);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var batch = new List<FormattableString>();
            var (after, afterVolume) = (last, volume);
            await local.ReadAsync(
                $"SELECT volume_id, taken_at, bytes, files, host_id FROM usage_samples WHERE taken_at > {after} OR (taken_at = {after} AND volume_id > {afterVolume}) ORDER BY taken_at, volume_id LIMIT {Batch}",
                row =>
                {
                    (volume, last) = (row.GetGuid(0), row.GetUtc(1));
                    batch.Add(UsageRows.Append(new UsageSample { VolumeId = volume, TakenAt = last, Bytes = row.GetInt64(2), Files = row.GetInt64(3), HostId = row.GetGuid(4) }));
                });
            if (batch.Count == 0) return moved;
            await ApplyAsync(connection, batch);
            moved += batch.Count;
        }
    }

    /// <returns>How many days of usage.</returns>
    static async Task<long> MoveDaysAsync(NpgsqlConnection connection, CatalogConnection local, CancellationToken cancellation)
    {
        var (moved, last, volume) = (0L, DateOnly.MinValue, Guid.Empty);
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var batch = new List<FormattableString>();
            var (after, afterVolume) = (last, volume);
            await local.ReadAsync(
                FormattableStringFactory.Create($"SELECT {UsageRows.DayColumns} FROM usage_daily WHERE (day, volume_id) > ({{0}}, {{1}}) ORDER BY day, volume_id LIMIT {Batch}", after, afterVolume),
                row =>
                {
                    var day = UsageRows.ReadDay(row);
                    (last, volume) = (day.Day, day.VolumeId);
                    batch.Add(UsageRows.Append(day));
                });
            if (batch.Count == 0) return moved;
            await ApplyAsync(connection, batch);
            moved += batch.Count;
        }
    }

    /// <summary>The statements for what is known of volumes on disk alone: when they were last used, what their options were before, and the labels of those that are gone.</summary>
    static async Task<List<FormattableString>> ReadRestAsync(CatalogConnection local)
    {
        var statements = new List<FormattableString>();
        await local.ReadAsync(
            $"SELECT volume_id, key, value FROM former_labels",
            row => statements.Add($"INSERT INTO former_labels (volume_id, key, value) VALUES ({row.GetGuid(0)}, {row.GetString(1)}, {row.GetString(2)}) ON CONFLICT DO NOTHING"));
        await local.ReadAsync(
            $"SELECT volume_id, changed_at, key, old_value, new_value, host, actor FROM option_changes WHERE volume_id IN (SELECT id FROM volumes WHERE state <> 'gone')",
            row => statements.Add($"""
                INSERT INTO option_changes (volume_id, changed_at, key, old_value, new_value, host, actor)
                VALUES ({row.GetGuid(0)}, {row.GetUtc(1)}, {row.GetString(2)}, {TypedNull.Or(row.IsDBNull(3) ? null : row.GetString(3))}, {TypedNull.Or(row.IsDBNull(4) ? null : row.GetString(4))}, {row.GetString(5)}, {row.GetString(6)})
                ON CONFLICT DO NOTHING
                """));
        await local.ReadAsync(
            $"SELECT id, last_used_at FROM volumes WHERE last_used_at IS NOT NULL",
            row => statements.Add($"UPDATE volumes SET last_used_at = {row.GetUtc(1)} WHERE id = {row.GetGuid(0)}"));
        return statements;
    }

    async Task<List<Volume>> ReadVolumesAsync(CatalogConnection local)
    {
        var index = new VolumeIndex(state.HostId);
        await index.LoadAsync(local);
        List<Volume> volumes = [.. index.All];
        volumes.AddRange(await TrashRows.ReadAsync(local, TrashRows.InTrash(only: null)));
        // On NFS a volume's place is the same for all hosts already.
        return [.. volumes.DistinctBy(v => v.Id).Select(v => v with { Export = v.Backend == "nfs" ? v.Export : rootId, Mounts = [.. v.Mounts.Where(index.IsOwn)] })];
    }

    /// <summary>The ledger begins with what the host holds now, so that its containers go on through the change.</summary>
    async Task WriteLedgerAsync(CatalogConnection local, List<Volume> volumes)
    {
        File.Delete(state.LedgerFile);
        using var ledger = SqliteCatalog.Open(state.LedgerFile);
        await SqliteCatalog.MigrateAsync(ledger, state.LedgerFile, migrate: true);
        var host = default(FormattableString);
        await local.ReadAsync($"SELECT name, boot_id, version, engine_generation, last_seen_at FROM hosts WHERE id = {state.HostId}", row => host = $"""
            INSERT INTO hosts (id, name, boot_id, version, engine_generation, last_seen_at, state)
            VALUES ({state.HostId}, {row.GetString(0)}, {row.GetString(1)}, {row.GetString(2)}, {row.GetInt64(3)}, {row.GetUtc(4)}, 'live')
            """);
        await ledger.InTransactionAsync(async db =>
        {
            if (host is not null) await db.ExecuteAsync(host);
            foreach (var volume in volumes.Where(v => v.IsLiving || !v.Mounts.IsEmpty))
            {
                await db.ExecuteAsync(VolumeRows.Keep(volume));
                foreach (var mount in volume.Mounts) await db.ExecuteAsync(MountRows.Put(mount));
            }
        });
    }

    static async Task<int[]> ApplyAsync(NpgsqlConnection connection, IReadOnlyList<FormattableString> statements)
    {
        await using var batch = connection.CreateBatch();
        foreach (var statement in statements) batch.BatchCommands.Add(PostgresDatabase.Bind(statement));
        await batch.ExecuteNonQueryAsync();
        return [.. ((IEnumerable<DbBatchCommand>)batch.BatchCommands).Select(command => command.RecordsAffected)];
    }
}
