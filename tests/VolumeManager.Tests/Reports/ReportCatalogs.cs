using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;
using VolumeManager.Reports;
using VolumeManager.Tests.Clusters;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Reports;

/// <summary>The same history in both kinds of catalog, a real SQLite file and a real PostgreSQL, written as daemons write what is theirs to write.</summary>
public sealed class ReportCatalogs : IAsyncLifetime, IAsyncDisposable
{
    internal const string Sqlite = "sqlite";
    internal const string Postgres = "postgresql";

    readonly ScratchFolder _folder = new();
    PostgresDatabase _postgres = null!;
    string _database = "";
    string _connectionString = "";

    internal ClusterHistory History { get; } = new(DateTime.UtcNow);

    string File => _folder.Of("catalog.db");

    public async Task InitializeAsync()
    {
        _database = await SharedServer.TakeDatabaseAsync();
        _connectionString = (await SharedServer.GetAsync()).ConnectionString(_database, extra: "Pooling=false");
        _postgres = new PostgresDatabase(_connectionString, "test");
        using (var file = SqliteCatalog.Open(File)) await SqliteCatalog.MigrateAsync(file, File, migrate: true);
        await using (var context = new CatalogContext(SqliteCatalog.Options(File))) await WriteAsync(context);
        await using (var context = new CatalogContext(PostgresSchema.Options(_connectionString))) await WriteAsync(context);
        using (var file = SqliteCatalog.Open(File))
        {
            await file.InTransactionAsync(async db =>
            {
                foreach (var change in UsageAndEnds()) await db.ExecuteAsync(change);
            });
        }

        foreach (var some in UsageAndEnds().Chunk(200)) await _postgres.ApplyAsync(Change.All([.. some.SelectMany(change => change.Statements)]));
    }

    async Task WriteAsync(CatalogContext context)
    {
        context.AddRange(History.Hosts);
        foreach (var volume in History.Volumes)
        {
            // Removed at the end: what is removed is not measured.
            var entry = context.Add(volume with { State = VolumeState.Ready });
            if (History.LastUsed.TryGetValue(volume.Id, out var used)) entry.Property("LastUsedAt").CurrentValue = used;
            context.AddRange(volume.Labels.Select(label => new VolumeLabel { VolumeId = volume.Id, Key = label.Key, Value = label.Value }));
        }

        context.AddRange(History.Mounts);
        context.AddRange(History.Events);
        context.AddRange(History.Changes);
        await context.SaveChangesAsync();
        await context.Database.ExecuteSqlAsync($"DELETE FROM usage_samples");
    }

    /// <summary>Each sample as the sampler keeps it, twice, for an answer may be lost; then what was removed, and forgotten with its labels.</summary>
    IEnumerable<Change> UsageAndEnds()
    {
        foreach (var sample in History.Samples)
        {
            yield return UsageRows.Keep(sample, sample.TakenAt);
            yield return UsageRows.Keep(sample, sample.TakenAt);
        }

        foreach (var volume in History.Volumes.Where(v => v.State != VolumeState.Ready))
        {
            yield return Change.Quiet($"UPDATE volumes SET state = {EnumText.Of(volume.State)}, removed_at = {volume.RemovedAt!.Value}, purge_after = {volume.PurgeAfter!.Value} WHERE id = {volume.Id}");
            if (volume.State == VolumeState.Gone) yield return VolumeRows.Forget(volume);
        }
    }

    /// <summary>Reads a report whole.</summary>
    internal async Task<List<IReadOnlyDictionary<string, object?>>> ReadAsync(string database, string name, ReportFilters? filters = null)
    {
        var report = StandardReports.All.Single(r => r.Name == name);
        filters ??= new ReportFilters();
        var reporter = new Reporter(async cancellation => database == Sqlite ? SqliteCatalog.OpenForReports(File) : await _postgres.OpenForReportsAsync(cancellation));
        var rows = new List<IReadOnlyDictionary<string, object?>>();
        await foreach (var row in reporter.ReadAsync(report, filters with { Since = filters.Since ?? History.Now - report.DefaultSince }, CancellationToken.None))
        {
            rows.Add(report.Columns.Zip(row).ToDictionary(pair => pair.First.Name, pair => pair.Second));
        }

        return rows;
    }

    /// <summary>An open connection for SQL, that can only read.</summary>
    internal async Task<DbConnection> OpenAsync(string database) =>
        database == Sqlite ? SqliteCatalog.OpenForReports(File) : await _postgres.OpenForReportsAsync(CancellationToken.None);

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await _postgres.DisposeAsync();
        await SharedServer.ReturnDatabaseAsync(_database);
        _folder.Dispose();
    }
}
