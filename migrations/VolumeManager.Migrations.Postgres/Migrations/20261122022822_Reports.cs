using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace VolumeManager.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Reports : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            // A table that no daemon knows yet, filled while they go on: of millions of samples it takes half a minute. It only reads what is there, so it is in nobody's way,
            // and nobody waits for CatalogLock behind it.
            migrationBuilder.CreateTable(
                name: "usage_daily",
                columns: table => new
                {
                    day = table.Column<DateOnly>(type: "date", nullable: false),
                    volume_id = table.Column<Guid>(type: "uuid", nullable: false),
                    volume_name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    bytes = table.Column<long>(type: "bigint", nullable: false),
                    files = table.Column<long>(type: "bigint", nullable: false),
                    min_bytes = table.Column<long>(type: "bigint", nullable: false),
                    max_bytes = table.Column<long>(type: "bigint", nullable: false),
                    sum_bytes = table.Column<long>(type: "bigint", nullable: false),
                    samples = table.Column<int>(type: "integer", nullable: false),
                    sampled_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_usage_daily", x => new { x.day, x.volume_id });
                });

            migrationBuilder.CreateIndex(
                name: "IX_usage_daily_volume_id_day",
                table: "usage_daily",
                columns: new[] { "volume_id", "day" });

            migrationBuilder.Sql("""
                INSERT INTO usage_daily (day, volume_id, volume_name, bytes, files, min_bytes, max_bytes, sum_bytes, samples, sampled_at)
                SELECT d.day, d.volume_id, COALESCE(v.name, (SELECT max(e.volume_name) FROM events e WHERE e.volume_id = d.volume_id), d.volume_id::text),
                       last.bytes, last.files, d.min_bytes, d.max_bytes, d.sum_bytes, d.samples, d.sampled_at
                FROM (SELECT (taken_at AT TIME ZONE 'UTC')::date AS day, volume_id, min(bytes) AS min_bytes, max(bytes) AS max_bytes, sum(bytes)::bigint AS sum_bytes, count(*) AS samples, max(taken_at) AS sampled_at
                      FROM usage_samples GROUP BY 1, 2) d
                JOIN usage_samples last ON last.volume_id = d.volume_id AND last.taken_at = d.sampled_at
                LEFT JOIN volumes v ON v.id = d.volume_id;
                """);

            // What sums over all volumes read of a day, so that they need not read its rows. No part of the model, which SQLite shares and which knows no such index.
            migrationBuilder.Sql("""CREATE INDEX "IX_usage_daily_sums" ON usage_daily (day, volume_id) INCLUDE (bytes, sum_bytes, samples);""");

            CatalogLock.Take(migrationBuilder);

            migrationBuilder.AddColumn<DateTime>(
                name: "last_used_at",
                table: "volumes",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "actor",
                table: "events",
                type: "text",
                nullable: true,
                collation: "C");

            migrationBuilder.AddColumn<DateTime>(
                name: "mounted_at",
                table: "events",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "access_tokens",
                columns: table => new
                {
                    name = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    hash = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    role = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    created_by = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    expires_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_access_tokens", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "option_changes",
                columns: table => new
                {
                    volume_id = table.Column<Guid>(type: "uuid", nullable: false),
                    changed_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    old_value = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    new_value = table.Column<string>(type: "text", nullable: true, collation: "C"),
                    host = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    actor = table.Column<string>(type: "text", nullable: false, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_option_changes", x => new { x.volume_id, x.changed_at, x.key });
                    table.ForeignKey(
                        name: "FK_option_changes_volumes_volume_id",
                        column: x => x.volume_id,
                        principalTable: "volumes",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "former_labels",
                columns: table => new
                {
                    volume_id = table.Column<Guid>(type: "uuid", nullable: false),
                    key = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    value = table.Column<string>(type: "text", nullable: false, collation: "C")
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_former_labels", x => new { x.volume_id, x.key });
                });

            migrationBuilder.CreateIndex(
                name: "IX_events_at",
                table: "events",
                column: "at");

            migrationBuilder.CreateIndex(
                name: "IX_access_tokens_hash",
                table: "access_tokens",
                column: "hash",
                unique: true);

            // Of volumes that were used before: else they would look as if they had been idle since their creation.
            migrationBuilder.Sql("""
                UPDATE volumes SET last_used_at = used.at
                FROM (SELECT volume_id, max(at) AS at FROM events WHERE error IS NULL AND kind IN ('mount', 'unmount', 'reclaim', 'host-evict') GROUP BY volume_id) used
                WHERE used.volume_id = volumes.id;
                """);

            ReportViews.Create(migrationBuilder);
            ReportViews.Grant(migrationBuilder);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            ReportViews.Drop(migrationBuilder);

            migrationBuilder.DropTable(
                name: "access_tokens");

            migrationBuilder.DropTable(
                name: "former_labels");

            migrationBuilder.DropTable(
                name: "option_changes");

            migrationBuilder.DropTable(
                name: "usage_daily");

            migrationBuilder.DropIndex(
                name: "IX_events_at",
                table: "events");

            migrationBuilder.DropColumn(
                name: "last_used_at",
                table: "volumes");

            migrationBuilder.DropColumn(
                name: "actor",
                table: "events");

            migrationBuilder.DropColumn(
                name: "mounted_at",
                table: "events");
        }
    }
}
