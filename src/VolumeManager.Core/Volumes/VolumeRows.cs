using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;

namespace VolumeManager.Volumes;

/// <summary>The statements that change volumes. Each is conditional, and its affected-row count is the decision.</summary>
internal static class VolumeRows
{
    /// <summary>Adds a volume unless its name is taken or its directory overlaps another volume's, whose removal would take it along.</summary>
    internal static async Task<bool> InsertAsync(CatalogContext db, Volume v)
    {
        var above = v.Directory.Split('/').SkipLast(1).Aggregate(new List<string>(), (paths, name) => [.. paths, paths.Count == 0 ? name : $"{paths[^1]}/{name}"]);
        if (above.Count > 0 && await db.Volumes.AnyAsync(other => other.State != VolumeState.Trashed && above.Contains(other.Directory))) return false;
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

    internal static Task<int> SetProvisionedAsync(CatalogContext db, Volume v) =>
        db.ExecuteAsync($"UPDATE volumes SET provisioned_at = {v.ProvisionedAt} WHERE id = {v.Id}");

    /// <summary>Closes the volume to new mounts, if nobody holds one.</summary>
    internal static async Task<bool> TryBeginRemovalAsync(CatalogContext db, Volume v) => await db.ExecuteAsync(
        $"UPDATE volumes SET state = 'removing' WHERE id = {v.Id} AND state = 'ready' AND NOT EXISTS (SELECT 1 FROM mounts WHERE volume_id = {v.Id})") == 1;

    internal static Task<int> CancelRemovalAsync(CatalogContext db, Volume v) =>
        db.ExecuteAsync($"UPDATE volumes SET state = 'ready' WHERE id = {v.Id} AND state = 'removing'");

    internal static Task<int> SetTrashedAsync(CatalogContext db, Volume v) => db.ExecuteAsync(
        $"UPDATE volumes SET state = 'trashed', removed_at = {v.RemovedAt}, purge_after = {v.PurgeAfter} WHERE id = {v.Id} AND state = 'removing'");

    /// <summary>Forgets a volume for good, with its options and labels. Its history stays. A mount row, were there one, would forbid it.</summary>
    internal static Task<int> DeleteAsync(CatalogContext db, Volume v) => db.ExecuteAsync($"DELETE FROM volumes WHERE id = {v.Id} AND state <> 'ready'");
}
