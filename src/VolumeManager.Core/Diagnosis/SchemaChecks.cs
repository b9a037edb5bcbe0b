using System.Data.Common;
using System.Runtime.CompilerServices;
using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Diagnosis;

/// <summary>The database itself: its indexes, and of an SQLite file whether it is whole.</summary>
internal sealed class SchemaChecks(HostDaemon daemon)
{
    // Without their volume these rows mean nothing.
    static readonly string[] s_belongings = ["volume_options", "volume_labels", "option_changes"];

    internal IAsyncEnumerable<Finding> LookAsync(CancellationToken cancellation) => daemon.Catalog is ClusterCatalog catalog
        ? LookAtClusterAsync(catalog, cancellation)
        : LookAtFileAsync(StateDirectory.CatalogFileIn(daemon.Settings.StateDirectory));

    async IAsyncEnumerable<Finding> LookAtClusterAsync(ClusterCatalog catalog, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var finding in LookAtFileAsync($"{daemon.Settings.StateDirectory}/ledger.db")) yield return finding;
        if (catalog.StaleSince is not null) yield break;
        var there = new Dictionary<string, bool>(StringComparer.Ordinal);
        await catalog.ReadAsync(
            $"SELECT i.relname::text, x.indisvalid FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE pg_table_is_visible(x.indrelid)", row => there[row.GetString(0)] = row.GetBoolean(1), cancellation);
        foreach (var index in CatalogIndexes.All.Where(i => !there.GetValueOrDefault(i.Name)))
        {
            var isBroken = there.ContainsKey(index.Name);
            yield return Missing(index, catalog.Name, isBroken, token => MakeAsync(catalog, index, isBroken, token), isBroken ? "was not built to its end, and is not used" : "is missing", "makes it anew, beside all that goes on; that takes the role that owns the tables");
        }
    }

    static async Task MakeAsync(ClusterCatalog catalog, CatalogIndexes.Index index, bool isBroken, CancellationToken cancellation)
    {
        var drop = $"DROP INDEX CONCURRENTLY IF EXISTS \"{index.Name}\"";
        if (isBroken) await catalog.MendAsync(drop, cancellation);
        try
        {
            await catalog.MendAsync(index.Create("CONCURRENTLY IF NOT EXISTS "), cancellation);
        }
        catch (VolumeException)
        {
            // What PostgreSQL leaves of an index that it could not build costs every change, and serves no question.
            await catalog.MendAsync(drop, cancellation);
            throw;
        }
    }

    static Finding Missing(CatalogIndexes.Index index, string catalog, bool isBroken, Func<CancellationToken, Task> repair, string what, string cure) => new(
        isBroken ? "index-invalid" : "index-missing", Severity.Error, $"index {index.Name}",
        $"the index {index.Name} of {catalog} {what}{(index.IsUnique ? ": what must be unique may be there twice" : ": questions take longer and longer")}", cure)
    { Repair = repair };

    /// <summary>Looks at a file of this host beside its writer. Changes nothing.</summary>
    internal static async IAsyncEnumerable<Finding> LookAtFileAsync(string path)
    {
        var (there, damage, strays) = await TryReadAsync(path);
        if (damage.Count > 0)
        {
            yield return new Finding("catalog-damaged", Severity.Error, path, $"{path} is damaged ({string.Join("; ", damage)})", "stop volman, see to the disk, and restore the file from a backup");
            yield break;
        }

        foreach (var index in CatalogIndexes.All.Where(i => !there.Contains(i.Name)))
        {
            yield return Missing(index, path, isBroken: false, _ => ExecuteAsync(path, index.Create("IF NOT EXISTS ")), "is missing", "makes it anew");
        }

        foreach (var (table, rows) in strays)
        {
            var isBelonging = Array.IndexOf(s_belongings, table) >= 0;
            yield return new Finding(
                "row-stray", Severity.Warning, $"table {table}", $"{rows} rows of the table {table} in {path} belong to nothing that is there", isBelonging ? "deletes them" : "stop volman, and delete them with sqlite3 after PRAGMA foreign_key_check")
            {
                Repair = isBelonging ? _ => ExecuteAsync(path, $"DELETE FROM {table} WHERE volume_id NOT IN (SELECT id FROM volumes)") : null,
            };
        }
    }

    static async Task<(HashSet<string> Indexes, List<string> Damage, Dictionary<string, int> Strays)> TryReadAsync(string path)
    {
        var (indexes, damage, strays) = (new HashSet<string>(StringComparer.Ordinal), new List<string>(), new Dictionary<string, int>(StringComparer.Ordinal));
        try
        {
            using var db = SqliteCatalog.Open(path);
            await db.ReadAsync($"PRAGMA quick_check(5)", row => damage.Add(row.GetString(0)));
            damage.Remove("ok");
            await db.ReadAsync($"SELECT name FROM sqlite_master WHERE type = 'index'", row => indexes.Add(row.GetString(0)));
            await db.ReadAsync($"PRAGMA foreign_key_check", row => strays[row.GetString(0)] = strays.GetValueOrDefault(row.GetString(0)) + 1);
        }
        catch (DbException e)
        {
            damage.Add(e.Message);
        }

        return (indexes, damage, strays);
    }

    static async Task ExecuteAsync(string path, string statement)
    {
        using var db = SqliteCatalog.Open(path);
        await db.ExecuteAsync(FormattableStringFactory.Create(statement));
    }
}
