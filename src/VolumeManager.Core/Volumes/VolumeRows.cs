using System.Data.Common;
using System.Runtime.CompilerServices;
using VolumeManager.Catalog;

namespace VolumeManager.Volumes;

/// <summary>The statements that change volumes. Each is conditional, and its affected-row count is the decision.</summary>
internal static class VolumeRows
{
    const string Columns = "id, name, backend, server, export, directory, adopted, access, size_bytes, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, provisioned_at, removed_at, purge_after";

    /// <summary>All volumes that are not trashed, without what belongs to them.</summary>
    internal static Task ReadLivingAsync(CatalogConnection db, Action<Volume> each) =>
        db.ReadAsync(FormattableStringFactory.Create($"SELECT {Columns} FROM volumes WHERE state <> 'trashed'"), row => each(Read(row)));

    /// <summary>The trashed volumes whose time has come, those first that wait longest.</summary>
    internal static async Task<List<Volume>> ReadDueAsync(CatalogConnection db, DateTime now, int limit)
    {
        var due = new List<Volume>();
        await db.ReadAsync(
            FormattableStringFactory.Create($"SELECT {Columns} FROM volumes WHERE state = 'trashed' AND purge_after <= {{0}} ORDER BY purge_after LIMIT {{1}}", now, limit),
            row => due.Add(Read(row)));
        return due;
    }

    static Volume Read(DbDataReader row) => new()
    {
        Id = row.GetGuid(0),
        Name = row.GetString(1),
        Backend = string.Intern(row.GetString(2)),
        Server = string.Intern(row.GetString(3)),
        Export = string.Intern(row.GetString(4)),
        Directory = row.GetString(5),
        Adopted = row.GetBoolean(6),
        Access = EnumText.Parse<AccessMode>(row.GetString(7))!.Value,
        SizeBytes = row.IsDBNull(8) ? null : row.GetInt64(8),
        Uid = row.GetInt64(9),
        Gid = row.GetInt64(10),
        Mode = row.GetInt32(11),
        OnRemove = EnumText.Parse<OnRemove>(row.GetString(12))!.Value,
        State = EnumText.Parse<VolumeState>(row.GetString(13))!.Value,
        Epoch = row.GetInt64(14),
        CreatedAt = row.GetUtc(15),
        CreatedOnHost = string.Intern(row.GetString(16)),
        ProvisionedAt = row.IsDBNull(17) ? null : row.GetUtc(17),
        RemovedAt = row.IsDBNull(18) ? null : row.GetUtc(18),
        PurgeAfter = row.IsDBNull(19) ? null : row.GetUtc(19),
    };

    /// <summary>Adds a volume unless its name is taken or its directory overlaps another volume's, whose removal would take it along.</summary>
    internal static async Task<bool> InsertAsync(CatalogConnection db, Volume v)
    {
        var above = v.Directory.Split('/').SkipLast(1).Aggregate(new List<string>(), (paths, name) => [.. paths, paths.Count == 0 ? name : $"{paths[^1]}/{name}"]);
        foreach (var directory in above)
        {
            if (await db.AnyAsync($"SELECT 1 FROM volumes WHERE state <> 'trashed' AND directory = {directory}")) return false;
        }

        // All that lies below "d" sorts from "d/" up to "d0", the next character.
        string firstBelow = v.Directory + "/", pastBelow = v.Directory + "0";
        var inserted = await db.ExecuteAsync($"""
            INSERT INTO volumes (id, name, backend, server, export, directory, adopted, access, size_bytes, uid, gid, mode, on_remove, state, epoch, created_at, created_on_host, provisioned_at)
            SELECT {v.Id}, {v.Name}, {v.Backend}, {v.Server}, {v.Export}, {v.Directory}, {v.Adopted}, {EnumText.Of(v.Access)}, {v.SizeBytes}, {v.Uid}, {v.Gid}, {v.Mode},
                   {EnumText.Of(v.OnRemove)}, {EnumText.Of(v.State)}, {v.Epoch}, {v.CreatedAt}, {v.CreatedOnHost}, {v.ProvisionedAt}
            WHERE NOT EXISTS (SELECT 1 FROM volumes WHERE state <> 'trashed' AND directory = {v.Directory})
              AND NOT EXISTS (SELECT 1 FROM volumes WHERE state <> 'trashed' AND directory > {firstBelow} AND directory < {pastBelow})
            ON CONFLICT DO NOTHING
            """);
        if (inserted == 0) return false;
        foreach (var (key, value) in v.Options) await db.ExecuteAsync($"INSERT INTO volume_options (volume_id, key, value) VALUES ({v.Id}, {key}, {value})");
        foreach (var (key, value) in v.Labels) await db.ExecuteAsync($"INSERT INTO volume_labels (volume_id, key, value) VALUES ({v.Id}, {key}, {value})");
        return true;
    }

    internal static Task<int> SetProvisionedAsync(CatalogConnection db, Volume v) =>
        db.ExecuteAsync($"UPDATE volumes SET provisioned_at = {v.ProvisionedAt} WHERE id = {v.Id}");

    /// <summary>Closes the volume to new mounts, if nobody holds one.</summary>
    internal static async Task<bool> TryBeginRemovalAsync(CatalogConnection db, Volume v) => await db.ExecuteAsync(
        $"UPDATE volumes SET state = 'removing' WHERE id = {v.Id} AND state = 'ready' AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {v.Id})") == 1;

    internal static Task<int> CancelRemovalAsync(CatalogConnection db, Volume v) =>
        db.ExecuteAsync($"UPDATE volumes SET state = 'ready' WHERE id = {v.Id} AND state = 'removing'");

    internal static Task<int> SetTrashedAsync(CatalogConnection db, Volume v) => db.ExecuteAsync(
        $"UPDATE volumes SET state = 'trashed', removed_at = {v.RemovedAt}, purge_after = {v.PurgeAfter} WHERE id = {v.Id} AND state = 'removing'");

    /// <summary>Forgets a volume for good, with its options and labels. Its history stays. A mount row, were there one, would forbid it.</summary>
    internal static Task<int> DeleteAsync(CatalogConnection db, Volume v) => db.ExecuteAsync($"DELETE FROM volumes WHERE id = {v.Id} AND state <> 'ready'");
}
