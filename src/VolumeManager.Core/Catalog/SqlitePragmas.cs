using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace VolumeManager.Catalog;

/// <summary>Settings that SQLite keeps for a connection, not in the file.</summary>
internal sealed class SqlitePragmas : DbConnectionInterceptor
{
    // FULL: a commit in WAL mode is on disk before it is acknowledged (https://sqlite.org/pragma.html#pragma_synchronous).
    // busy_timeout: wait in SQLite for people who read or back up the file; the driver's own retry sleeps 150 ms a turn.
    const string Text = "PRAGMA busy_timeout = 5000; PRAGMA synchronous = FULL;";

    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Apply(connection);

    public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Apply(connection);
        return Task.CompletedTask;
    }

    internal static void Apply(DbConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = Text;
        command.ExecuteNonQuery();
    }
}
