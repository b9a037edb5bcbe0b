using Microsoft.EntityFrameworkCore.Migrations;

namespace VolumeManager.Migrations.Postgres.Migrations
{
    /// <summary>
    /// Refuses rows that no volman writes. Each daemon checks what it reads as well (StoredRow), for whoever may change the schema can take these away. Not a part of the model,
    /// which SQLite shares: there a constraint needs a new table. Not validated: rows that are there stay, and must not keep an operator from upgrading.
    /// </summary>
    public partial class ValidRows : Migration
    {
        static readonly (string Table, string Name, string Rule)[] s_constraints =
        [
            ("volumes", "name", "name ~ '^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$'"),
            ("volumes", "directory", "directory ~ '^[^/.][^/]*(/[^/.][^/]*)*$' AND octet_length(directory) <= 1024 AND directory !~ '[[:cntrl:]]'"),
            ("volumes", "backend", "backend IN ('local', 'nfs')"),
            ("volumes", "server", "server ~ '^[a-zA-Z0-9_.:-]*$' AND octet_length(server) <= 253 AND (server <> '') = (backend = 'nfs')"),
            ("volumes", "export", "octet_length(export) <= 1024 AND export !~ '[[:cntrl:]]' AND (backend <> 'nfs' OR (export ~ '^/' AND export !~ '/[.]{1,2}(/|$)'))"),
            ("volumes", "access", "access IN ('shared', 'single-host', 'single-caller', 'read-only')"),
            ("volumes", "on_remove", "on_remove IN ('trash', 'delete', 'retain')"),
            ("volumes", "state", "state IN ('ready', 'removing', 'trashed', 'gone', 'restoring', 'purging')"),
            ("volumes", "removed_at", "state NOT IN ('trashed', 'purging', 'restoring') OR removed_at IS NOT NULL"),
            ("volumes", "purge_after", "state NOT IN ('trashed', 'purging') OR purge_after IS NOT NULL"),
            ("volumes", "numbers", "uid BETWEEN 0 AND 4294967294 AND gid BETWEEN 0 AND 4294967294 AND mode BETWEEN 0 AND 4095 AND size_bytes > 0 AND epoch > 0"),
            ("volumes", "times", $"{IsTime("created_at")} AND {IsTime("provisioned_at")} AND {IsTime("removed_at")} AND {IsTime("purge_after")} AND {IsTime("sampled_at")} AND {IsTime("last_used_at")}"),
            // Names too, which an earlier version may have written: such a host must be able to renew its lease. What is exported to is checked more strictly where it is read.
            ("hosts", "address", "address !~ '[^0-9a-zA-Z.:_%-]'"),
            ("export_clients", "address", "address !~ '[^0-9a-zA-Z.:_%-]'"),
        ];

        // Of the calendar that programs share: PostgreSQL goes on for 290,000 years, and to infinity.
        static string IsTime(string column) => $"COALESCE({column} BETWEEN '0001-01-01 UTC' AND '9999-12-31 UTC', TRUE)";

        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            CatalogLock.Take(migrationBuilder);
            foreach (var (table, name, rule) in s_constraints) migrationBuilder.Sql($"ALTER TABLE {table} ADD CONSTRAINT \"CK_{table}_{name}\" CHECK ({rule}) NOT VALID;");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            foreach (var (table, name, _) in s_constraints) migrationBuilder.Sql($"ALTER TABLE {table} DROP CONSTRAINT \"CK_{table}_{name}\";");
        }
    }
}
