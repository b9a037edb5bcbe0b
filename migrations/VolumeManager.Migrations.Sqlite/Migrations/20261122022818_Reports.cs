using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace VolumeManager.Migrations.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class Reports : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "usage_daily",
                columns: table => new
                {
                    day = table.Column<DateOnly>(type: "TEXT", nullable: false),
                    volume_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    volume_name = table.Column<string>(type: "TEXT", nullable: false),
                    bytes = table.Column<long>(type: "INTEGER", nullable: false),
                    files = table.Column<long>(type: "INTEGER", nullable: false),
                    min_bytes = table.Column<long>(type: "INTEGER", nullable: false),
                    max_bytes = table.Column<long>(type: "INTEGER", nullable: false),
                    sum_bytes = table.Column<long>(type: "INTEGER", nullable: false),
                    samples = table.Column<int>(type: "INTEGER", nullable: false),
                    sampled_at = table.Column<DateTime>(type: "TEXT", nullable: false)
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
                SELECT d.day, d.volume_id, COALESCE(v.name, (SELECT max(e.volume_name) FROM events e WHERE e.volume_id = d.volume_id), d.volume_id),
                       last.bytes, last.files, d.min_bytes, d.max_bytes, d.sum_bytes, d.samples, d.sampled_at
                FROM (SELECT substr(taken_at, 1, 10) AS day, volume_id, min(bytes) AS min_bytes, max(bytes) AS max_bytes, sum(bytes) AS sum_bytes, count(*) AS samples, max(taken_at) AS sampled_at
                      FROM usage_samples GROUP BY 1, 2) d
                JOIN usage_samples last ON last.volume_id = d.volume_id AND last.taken_at = d.sampled_at
                LEFT JOIN volumes v ON v.id = d.volume_id;
                """);

            migrationBuilder.AddColumn<DateTime>(
                name: "last_used_at",
                table: "volumes",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "actor",
                table: "events",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<DateTime>(
                name: "mounted_at",
                table: "events",
                type: "TEXT",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "access_tokens",
                columns: table => new
                {
                    name = table.Column<string>(type: "TEXT", nullable: false),
                    hash = table.Column<string>(type: "TEXT", nullable: false),
                    role = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    created_by = table.Column<string>(type: "TEXT", nullable: false),
                    expires_at = table.Column<DateTime>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_access_tokens", x => x.name);
                });

            migrationBuilder.CreateTable(
                name: "option_changes",
                columns: table => new
                {
                    volume_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    changed_at = table.Column<DateTime>(type: "TEXT", nullable: false),
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    old_value = table.Column<string>(type: "TEXT", nullable: true),
                    new_value = table.Column<string>(type: "TEXT", nullable: true),
                    host = table.Column<string>(type: "TEXT", nullable: false),
                    actor = table.Column<string>(type: "TEXT", nullable: false)
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
                    volume_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    key = table.Column<string>(type: "TEXT", nullable: false),
                    value = table.Column<string>(type: "TEXT", nullable: false)
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
                UPDATE volumes
                SET last_used_at = (SELECT max(e.at) FROM events e WHERE e.volume_id = volumes.id AND e.error IS NULL AND e.kind IN ('mount', 'unmount', 'reclaim', 'host-evict'));
                """);

            ReportViews.Create(migrationBuilder);
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
