using System.Data.Common;
using System.Runtime.CompilerServices;
using Dapper;
using Microsoft.Data.Sqlite;
using Npgsql;
using VolumeManager.Catalog;

namespace VolumeManager.Reports;

/// <summary>
/// Reads reports row by row, one at a time, over a connection of its own that can only read: neither the daemon's requests nor its writer wait for one, whatever it costs.
/// </summary>
#pragma warning disable CA1001 // A semaphore that nobody asks for its handle has nothing to give back, and a report may end after its daemon.
internal sealed class Reporter(Func<CancellationToken, Task<DbConnection>> open)
#pragma warning restore CA1001
{
    // Of an SQLite file: reading blocks the thread that reads.
    const int Batch = 500;

    static readonly TimeSpan s_turnTime = TimeSpan.FromSeconds(10);

    readonly SemaphoreSlim _turn = new(1);

    /// <summary>The rows, each with the columns of the report: text, <see cref="Guid"/>, UTC <see cref="DateTime"/>, <see cref="DateOnly"/>, <see cref="long"/>, <see cref="double"/>,
    /// <see cref="bool"/> or null.</summary>
    /// <exception cref="VolumeException">Another report is being read, or the database refuses.</exception>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    /// <exception cref="OperationCanceledException">Cancelled: PostgreSQL in the middle of a query, an SQLite file between two rows.</exception>
    internal async IAsyncEnumerable<object?[]> ReadAsync(Report report, ReportFilters filters, [EnumeratorCancellation] CancellationToken cancellation)
    {
        if (!await _turn.WaitAsync(s_turnTime, cancellation)) throw new VolumeException("this host's volman makes another report now, and one at a time: try again when that is done");
        try
        {
            await using var connection = await open(cancellation);
            await using var reader = await AskAsync(() => ExecuteAsync(connection, report, filters, cancellation), cancellation);
            while (await AskAsync(() => NextAsync(reader, report, connection is SqliteConnection, cancellation), cancellation) is { Count: > 0 } rows)
            {
                foreach (var row in rows) yield return row;
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    static Task<DbDataReader> ExecuteAsync(DbConnection connection, Report report, ReportFilters filters, CancellationToken cancellation)
    {
        var values = new DynamicParameters();
        values.Add("Since", filters.Since);
        values.Add("SinceDay", filters.SinceDay);
        values.Add("SinceDayEnd", filters.SinceDayEnd);
        values.Add("LabelKey", filters.LabelKey);
        values.Add("LabelValue", filters.LabelValue);
        values.Add("Host", filters.Host);
        values.Add("Volume", filters.Volume);
        values.Add("Price", filters.Price);
        values.Add("Limit", filters.Limit);
        var command = new CommandDefinition(report.Sql(filters) + (filters.Limit is null ? "" : " LIMIT @Limit"), values, commandTimeout: 0, cancellationToken: cancellation);
        return connection is SqliteConnection
            ? Task.Factory.StartNew(() => (DbDataReader)connection.ExecuteReader(command), cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default)
            : connection.ExecuteReaderAsync(command);
    }

    static async Task<List<object?[]>> NextAsync(DbDataReader reader, Report report, bool blocks, CancellationToken cancellation)
    {
        if (blocks)
        {
            return await Task.Factory.StartNew(() =>
            {
                var rows = new List<object?[]>();
                while (rows.Count < Batch && reader.Read())
                {
                    cancellation.ThrowIfCancellationRequested();
                    rows.Add(Values(reader, report));
                }

                return rows;
            }, cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        return await reader.ReadAsync(cancellation) ? [Values(reader, report)] : [];
    }

    static object?[] Values(DbDataReader row, Report report)
    {
        var values = new object?[report.Columns.Count];
        for (var i = 0; i < values.Length; i++) values[i] = row.IsDBNull(i) ? null : Value(row, i, report.Columns[i].Kind);
        return values;
    }

    static object Value(DbDataReader row, int column, ColumnKind kind) => kind switch
    {
        ColumnKind.Id => row.GetGuid(column),
        ColumnKind.Time => row.GetUtc(column),
        ColumnKind.Day => row.GetFieldValue<DateOnly>(column),
        ColumnKind.Bytes or ColumnKind.Count => row.GetInt64(column),
        ColumnKind.Number or ColumnKind.Seconds => row.GetDouble(column),
        ColumnKind.Flag => row.GetBoolean(column),
        _ => row.GetString(column),
    };

    static async Task<T> AskAsync<T>(Func<Task<T>> ask, CancellationToken cancellation)
    {
        try
        {
            return await ask();
        }
        catch (DbException e) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException("the report was given up", e, cancellation);
        }
        catch (Exception e) when (e is not PostgresException && PostgresDatabase.IsAway(e))
        {
            throw new CatalogAwayException($"the catalog's database broke off ({e.GetBaseException().Message.ReplaceLineEndings(" ")}): see to it, then try again", e);
        }
        catch (DbException e)
        {
            throw new VolumeException($"the catalog's database refused the report ({(e as PostgresException)?.MessageText ?? e.Message}): narrow it with --since, --volume or --label, or see the database's log", e);
        }
    }
}
