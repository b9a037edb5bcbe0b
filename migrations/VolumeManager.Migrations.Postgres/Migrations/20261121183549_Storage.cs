using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace VolumeManager.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Storage : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            CatalogLock.Take(migrationBuilder);

            migrationBuilder.DropIndex(
                name: "IX_volumes_directory_export_server",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_volumes_name",
                table: "volumes");

            migrationBuilder.DropIndex(
                name: "IX_volumes_purge_after",
                table: "volumes");

            migrationBuilder.AddColumn<DateTime>(
                name: "sampled_at",
                table: "volumes",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "used_bytes",
                table: "volumes",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "used_files",
                table: "volumes",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<Guid>(
                name: "sampler_host_id",
                table: "catalog",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<DateTime>(
                name: "sampler_until",
                table: "catalog",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "exports",
                columns: table => new
                {
                    server = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    path = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    host_id = table.Column<Guid>(type: "uuid", nullable: false),
                    directory = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    root_id = table.Column<string>(type: "text", nullable: false, collation: "C"),
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_exports", x => new { x.server, x.path });
                    table.ForeignKey(
                        name: "FK_exports_hosts_host_id",
                        column: x => x.host_id,
                        principalTable: "hosts",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.CreateTable(
                name: "usage_samples",
                columns: table => new
                {
                    volume_id = table.Column<Guid>(type: "uuid", nullable: false),
                    taken_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    bytes = table.Column<long>(type: "bigint", nullable: false),
                    files = table.Column<long>(type: "bigint", nullable: false),
                    host_id = table.Column<Guid>(type: "uuid", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_usage_samples", x => new { x.volume_id, x.taken_at });
                });

            migrationBuilder.CreateTable(
                name: "export_clients",
                columns: table => new
                {
                    server = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    path = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    host_id = table.Column<Guid>(type: "uuid", nullable: false),
                    address = table.Column<string>(type: "text", nullable: false, collation: "C"),
                    fsid = table.Column<Guid>(type: "uuid", nullable: false),
                    withdraw_asked_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    is_evicted = table.Column<bool>(type: "boolean", nullable: false),
                    withdrawn_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_export_clients", x => new { x.server, x.path, x.host_id });
                    table.ForeignKey(
                        name: "FK_export_clients_exports_server_path",
                        columns: x => new { x.server, x.path },
                        principalTable: "exports",
                        principalColumns: new[] { "server", "path" },
                        onDelete: ReferentialAction.Cascade);
                    table.ForeignKey(
                        name: "FK_export_clients_hosts_host_id",
                        column: x => x.host_id,
                        principalTable: "hosts",
                        principalColumn: "id",
                        onDelete: ReferentialAction.Restrict);
                });

            migrationBuilder.UpdateData(
                table: "catalog",
                keyColumn: "id",
                keyValue: 1,
                columns: new[] { "sampler_host_id", "sampler_until" },
                values: new object[] { null, null });

            migrationBuilder.CreateIndex(
                name: "IX_volumes_directory_export_server",
                table: "volumes",
                columns: new[] { "directory", "export", "server" },
                filter: "state IN ('ready', 'removing', 'restoring')");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_name",
                table: "volumes",
                column: "name",
                unique: true,
                filter: "state IN ('ready', 'removing', 'restoring')");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_purge_after",
                table: "volumes",
                column: "purge_after",
                filter: "state IN ('trashed', 'purging', 'gone')");

            migrationBuilder.CreateIndex(
                name: "IX_volumes_sampled_at",
                table: "volumes",
                column: "sampled_at",
                filter: "state = 'ready'");

            migrationBuilder.CreateIndex(
                name: "IX_export_clients_host_id",
                table: "export_clients",
                column: "host_id");

            migrationBuilder.CreateIndex(
                name: "IX_exports_host_id",
                table: "exports",
                column: "host_id");

            migrationBuilder.CreateIndex(
                name: "IX_usage_samples_taken_at",
                table: "usage_samples",
                column: "taken_at");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "export_clients");

            migrationBuilder.DropTable(
                name: "usage_samples");

            migrationBuilder.DropTable(
                name: "exports");

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
                name: "IX_volumes_sampled_at",
                table: "volumes");

            migrationBuilder.DropColumn(
                name: "sampled_at",
                table: "volumes");

            migrationBuilder.DropColumn(
                name: "used_bytes",
                table: "volumes");

            migrationBuilder.DropColumn(
                name: "used_files",
                table: "volumes");

            migrationBuilder.DropColumn(
                name: "sampler_host_id",
                table: "catalog");

            migrationBuilder.DropColumn(
                name: "sampler_until",
                table: "catalog");

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
        }
    }
}
