using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace VolumeManager.Migrations.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class Cluster : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_volumes_directory",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_volumes_name",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_volumes_purge_after",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_hosts_name",
                table: "hosts");

            migrationBuilder.AddColumn<long>(
                name: "revision",
                table: "volumes",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<long>(
                name: "epoch",
                table: "mounts",
                type: "INTEGER",
                nullable: false,
                defaultValue: 1L);

            migrationBuilder.AddColumn<Guid>(
                name: "instance_id",
                table: "hosts",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<Guid>(
                name: "operation",
                table: "events",
                type: "TEXT",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "catalog",
                columns: table => new
                {
                    id = table.Column<int>(type: "INTEGER", nullable: false),
                    revision = table.Column<long>(type: "INTEGER", nullable: false),
                    janitor_host_id = table.Column<Guid>(type: "TEXT", nullable: true),
                    janitor_until = table.Column<DateTime>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_catalog", x => x.id);
                });

            migrationBuilder.InsertData(
                table: "catalog",
                columns: new[] { "id", "janitor_host_id", "janitor_until", "revision" },
                values: new object[] { 1, null, null, 0L });

            migrationBuilder.CreateIndex(
                name: "IX_volumes_directory_export_server",
                table: "volumes",
                columns: new[] { "directory", "export", "server" },
                filter: "state IN ('ready', 'removing')");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_name",
                table: "volumes",
                column: "name",
                unique: true,
                filter: "state IN ('ready', 'removing')");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_purge_after",
                table: "volumes",
                column: "purge_after",
                filter: "state IN ('trashed', 'gone')");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_revision",
                table: "volumes",
                column: "revision");

            migrationBuilder.CreateIndex(
                name: "IX_hosts_name",
                table: "hosts",
                column: "name",
                unique: true,
                filter: "state <> 'evicted'");

            migrationBuilder.CreateIndex(
                name: "IX_events_operation",
                table: "events",
                column: "operation",
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "catalog");

            migrationBuilder.DropIndex(
                name: "IX_volumes_directory_export_server",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_volumes_name",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_volumes_purge_after",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_volumes_revision",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_hosts_name",
                table: "hosts");

            migrationBuilder.DropIndex(
                name: "IX_events_operation",
                table: "events");

            migrationBuilder.DropColumn(
                name: "revision",
                table: "volumes");

            migrationBuilder.DropColumn(
                name: "epoch",
                table: "mounts");

            migrationBuilder.DropColumn(
                name: "instance_id",
                table: "hosts");

            migrationBuilder.DropColumn(
                name: "operation",
                table: "events");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_directory",
                table: "volumes",
                column: "directory",
                filter: "state <> 'trashed'");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_name",
                table: "volumes",
                column: "name",
                unique: true,
                filter: "state <> 'trashed'");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_purge_after",
                table: "volumes",
                column: "purge_after",
                filter: "state = 'trashed'");

            migrationBuilder.CreateIndex(
                name: "IX_hosts_name",
                table: "hosts",
                column: "name",
                unique: true);
        }
    }
}
