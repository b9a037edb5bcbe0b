using System.Data.Common;
using System.Globalization;

namespace VolumeManager.Catalog;

/// <summary>
/// An open connection to the catalog and the statements that ran over it, each prepared once: parsing and planning an INSERT costs more than running it.
/// Values always travel as parameters. Without EF Core's model, which spares a start half its time and memory (docs/decisions/0008).
/// </summary>
internal sealed class CatalogConnection(DbConnection connection) : IDisposable
{
    readonly Dictionary<string, DbCommand> _byText = new(StringComparer.Ordinal);
    DbTransaction? _transaction;

    /// <summary>Runs a statement, within the transaction if one is open.</summary>
    /// <param name="sql">A literal with the values in braces.</param>
    /// <returns>The number of affected rows, which is the decision of a conditional statement.</returns>
    internal Task<int> ExecuteAsync(FormattableString sql) => Bind(sql).ExecuteNonQueryAsync();

    /// <summary>Runs the statements of a change, within the transaction that is open.</summary>
    /// <returns>How many rows the deciding one affected.</returns>
    internal async Task<int> ExecuteAsync(Change change)
    {
        var decided = 0;
        for (var i = 0; i < change.Statements.Count; i++)
        {
            var affected = await ExecuteAsync(change.Statements[i]);
            if (i == change.Decision) decided = affected;
        }

        return decided;
    }

    /// <summary>Runs the statements of a script once, within the transaction if one is open.</summary>
    internal async Task RunScriptAsync(string script)
    {
        await using var command = connection.CreateCommand();
        command.CommandText = script;
        command.Transaction = _transaction;
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>Runs a query and hands each row to <paramref name="row"/>, which must not keep the reader.</summary>
    internal async Task ReadAsync(FormattableString sql, Action<DbDataReader> row)
    {
        await using var reader = await Bind(sql).ExecuteReaderAsync();
        while (await reader.ReadAsync()) row(reader);
    }

    /// <summary>Whether a query has any row.</summary>
    internal async Task<bool> AnyAsync(FormattableString sql)
    {
        await using var reader = await Bind(sql).ExecuteReaderAsync();
        return await reader.ReadAsync();
    }

    /// <summary>Runs <paramref name="change"/> in a transaction of its own. What it threw is thrown again when all is rolled back.</summary>
    internal async Task InTransactionAsync(Func<CatalogConnection, Task> change)
    {
        await using var transaction = _transaction = await connection.BeginTransactionAsync();
        try
        {
            await change(this);
            await transaction.CommitAsync();
        }
        finally
        {
            _transaction = null;
        }
    }

    DbCommand Bind(FormattableString sql)
    {
        if (!_byText.TryGetValue(sql.Format, out var command)) _byText.Add(sql.Format, command = Build(sql));
        command.Transaction = _transaction;
        for (var i = 0; i < sql.ArgumentCount; i++) command.Parameters[i].Value = sql.GetArgument(i) is { } value and not TypedNull ? value : DBNull.Value;
        return command;
    }

    DbCommand Build(FormattableString sql)
    {
        var command = connection.CreateCommand();
        var names = new object[sql.ArgumentCount];
        for (var i = 0; i < sql.ArgumentCount; i++)
        {
            var parameter = command.CreateParameter();
            names[i] = parameter.ParameterName = $"@p{i}";
            command.Parameters.Add(parameter);
        }

        command.CommandText = string.Format(CultureInfo.InvariantCulture, sql.Format, names);
        return command;
    }

    public void Dispose()
    {
        foreach (var command in _byText.Values) command.Dispose();
        connection.Dispose();
    }
}
