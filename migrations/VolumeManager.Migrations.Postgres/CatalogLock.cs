using Microsoft.EntityFrameworkCore.Migrations;

namespace VolumeManager.Migrations.Postgres;

/// <summary>
/// Takes the tables that a migration changes from the daemons, which go on meanwhile. Each migration of tables that are there begins with it: a change of theirs locks
/// <c>catalog</c> and then others, a heartbeat <c>hosts</c> and then <c>catalog</c>; in any other order a migration and a daemon wait for each other, and one of them fails.
/// </summary>
internal static class CatalogLock
{
    internal static void Take(MigrationBuilder migration)
    {
        // Not more than a foreign key asks for: what a change of a volume wants of this table it still gets.
        migration.Sql("LOCK TABLE hosts IN SHARE ROW EXCLUSIVE MODE;");
        migration.Sql("LOCK TABLE catalog, volumes IN ACCESS EXCLUSIVE MODE;");
    }
}
