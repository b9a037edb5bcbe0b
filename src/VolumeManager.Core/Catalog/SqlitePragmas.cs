using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace VolumeManager.Catalog;

/// <summary>Settings that SQLite keeps for a connection, not in the file.</summary>
internal sealed class SqlitePragmas(TimeSpan busy) : DbConnectionInterceptor
{
    public override void ConnectionOpened(DbConnection connection, ConnectionEndEventData eventData) => Apply(connection, busy);

    public override Task ConnectionOpenedAsync(DbConnection connection, ConnectionEndEventData eventData, CancellationToken cancellationToken = default)
    {
        Apply(connection, busy);
        return Task.CompletedTask;
    }

    // FULL: a commit in WAL mode is on disk before it is acknowledged (https://sqlite.org/pragma.html#pragma_synchronous).
    // busy_timeout: wait in SQLite for people who read or back up the file; the driver's own retry sleeps 150 ms a turn.
    internal static void Apply(DbConnection connection, TimeSpan busy)
    {
        using var command = connection.CreateCommand();
        command.CommandText = $"PRAGMA busy_timeout = {(int)busy.TotalMilliseconds}; PRAGMA synchronous = FULL;";
        command.ExecuteNonQuery();
    }
}
