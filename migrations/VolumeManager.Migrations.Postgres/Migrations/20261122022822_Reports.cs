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
                name: "IX_events_at",
                table: "events",
                column: "at",
                filter: "mounted_at IS NOT NULL");

            migrationBuilder.CreateIndex(
                name: "IX_access_tokens_hash",
                table: "access_tokens",
                column: "hash",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_usage_daily_volume_id_day",
                table: "usage_daily",
                columns: new[] { "volume_id", "day" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "access_tokens");

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
