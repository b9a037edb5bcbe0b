using System.Data.Common;
using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace VolumeManager.Catalog;

/// <summary>
/// The conditional statements of claims and changes, each prepared once for the connection of its context: parsing and planning an INSERT costs more than
/// running it. Values always travel as parameters.
/// </summary>
internal sealed class PreparedStatements(DbContext db) : IDisposable
{
    readonly Dictionary<string, DbCommand> _byText = new(StringComparer.Ordinal);

    /// <summary>Runs a statement within the context's transaction.</summary>
    /// <param name="sql">A literal with the values in braces.</param>
    /// <returns>The number of affected rows.</returns>
    internal Task<int> ExecuteAsync(FormattableString sql)
    {
        if (!_byText.TryGetValue(sql.Format, out var command)) _byText.Add(sql.Format, command = Build(sql));
        command.Transaction = db.Database.CurrentTransaction?.GetDbTransaction();
        for (var i = 0; i < sql.ArgumentCount; i++) command.Parameters[i].Value = sql.GetArgument(i) ?? DBNull.Value;
        return command.ExecuteNonQueryAsync();
    }

    DbCommand Build(FormattableString sql)
    {
        var command = db.Database.GetDbConnection().CreateCommand();
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
    }
}
