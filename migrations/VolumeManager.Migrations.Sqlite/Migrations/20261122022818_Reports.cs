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
