CREATE TABLE IF NOT EXISTS "__EFMigrationsHistory" (
    "MigrationId" TEXT NOT NULL CONSTRAINT "PK___EFMigrationsHistory" PRIMARY KEY,
    "ProductVersion" TEXT NOT NULL
);

CREATE TABLE "events" (
    "id" INTEGER NOT NULL CONSTRAINT "PK_events" PRIMARY KEY AUTOINCREMENT,
    "at" TEXT NOT NULL,
    "host" TEXT NOT NULL,
    "volume_id" TEXT NULL,
    "volume_name" TEXT NULL,
    "kind" TEXT NOT NULL,
    "caller_id" TEXT NULL,
    "duration_ms" REAL NULL,
    "error" TEXT NULL,
    "detail" TEXT NULL
);

CREATE TABLE "hosts" (
    "id" TEXT NOT NULL CONSTRAINT "PK_hosts" PRIMARY KEY,
    "name" TEXT NOT NULL,
    "address" TEXT NULL,
    "boot_id" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "engine_generation" INTEGER NOT NULL,
    "lease_expires_at" TEXT NULL,
    "last_seen_at" TEXT NOT NULL,
    "state" TEXT NOT NULL
);

CREATE TABLE "volumes" (
    "id" TEXT NOT NULL CONSTRAINT "PK_volumes" PRIMARY KEY,
    "name" TEXT NOT NULL,
    "backend" TEXT NOT NULL,
    "server" TEXT NOT NULL,
    "export" TEXT NOT NULL,
    "directory" TEXT NOT NULL,
    "adopted" INTEGER NOT NULL,
    "access" TEXT NOT NULL,
    "size_bytes" INTEGER NULL,
    "uid" INTEGER NOT NULL,
    "gid" INTEGER NOT NULL,
    "mode" INTEGER NOT NULL,
    "on_remove" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "epoch" INTEGER NOT NULL,
    "created_at" TEXT NOT NULL,
    "created_on_host" TEXT NOT NULL,
    "provisioned_at" TEXT NULL,
    "removed_at" TEXT NULL,
    "purge_after" TEXT NULL
);

CREATE TABLE "mounts" (
    "volume_id" TEXT NOT NULL,
    "host_id" TEXT NOT NULL,
    "caller_id" TEXT NOT NULL,
    "count" INTEGER NOT NULL,
    "boot_id" TEXT NOT NULL,
    "engine_generation" INTEGER NOT NULL,
    "mounted_at" TEXT NOT NULL,
    CONSTRAINT "PK_mounts" PRIMARY KEY ("volume_id", "host_id", "caller_id"),
    CONSTRAINT "FK_mounts_hosts_host_id" FOREIGN KEY ("host_id") REFERENCES "hosts" ("id") ON DELETE RESTRICT,
    CONSTRAINT "FK_mounts_volumes_volume_id" FOREIGN KEY ("volume_id") REFERENCES "volumes" ("id") ON DELETE RESTRICT
);

CREATE TABLE "volume_labels" (
    "volume_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    CONSTRAINT "PK_volume_labels" PRIMARY KEY ("volume_id", "key"),
    CONSTRAINT "FK_volume_labels_volumes_volume_id" FOREIGN KEY ("volume_id") REFERENCES "volumes" ("id") ON DELETE CASCADE
);

CREATE TABLE "volume_options" (
    "volume_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    CONSTRAINT "PK_volume_options" PRIMARY KEY ("volume_id", "key"),
    CONSTRAINT "FK_volume_options_volumes_volume_id" FOREIGN KEY ("volume_id") REFERENCES "volumes" ("id") ON DELETE CASCADE
);

CREATE INDEX "IX_events_volume_id" ON "events" ("volume_id");

CREATE UNIQUE INDEX "IX_hosts_name" ON "hosts" ("name");

CREATE INDEX "IX_mounts_host_id" ON "mounts" ("host_id");

CREATE INDEX "IX_volumes_directory" ON "volumes" ("directory") WHERE state <> 'trashed';

CREATE UNIQUE INDEX "IX_volumes_name" ON "volumes" ("name") WHERE state <> 'trashed';

CREATE INDEX "IX_volumes_purge_after" ON "volumes" ("purge_after") WHERE state = 'trashed';

INSERT INTO "__EFMigrationsHistory" ("MigrationId", "ProductVersion")
VALUES ('20261121085234_Initial', '10.0.15');

DROP INDEX "IX_volumes_directory";

DROP INDEX "IX_volumes_name";

DROP INDEX "IX_volumes_purge_after";

DROP INDEX "IX_hosts_name";

ALTER TABLE "volumes" ADD "revision" INTEGER NOT NULL DEFAULT 0;

ALTER TABLE "mounts" ADD "epoch" INTEGER NOT NULL DEFAULT 1;

ALTER TABLE "hosts" ADD "instance_id" TEXT NULL;

ALTER TABLE "events" ADD "operation" TEXT NULL;

CREATE TABLE "catalog" (
    "id" INTEGER NOT NULL CONSTRAINT "PK_catalog" PRIMARY KEY,
    "revision" INTEGER NOT NULL,
    "janitor_host_id" TEXT NULL,
    "janitor_until" TEXT NULL
);

INSERT INTO "catalog" ("id", "janitor_host_id", "janitor_until", "revision")
VALUES (1, NULL, NULL, 0);
SELECT changes();


CREATE INDEX "IX_volumes_directory_export_server" ON "volumes" ("directory", "export", "server") WHERE state IN ('ready', 'removing');

CREATE UNIQUE INDEX "IX_volumes_name" ON "volumes" ("name") WHERE state IN ('ready', 'removing');

CREATE INDEX "IX_volumes_purge_after" ON "volumes" ("purge_after") WHERE state IN ('trashed', 'gone');

CREATE INDEX "IX_volumes_revision" ON "volumes" ("revision");

CREATE UNIQUE INDEX "IX_hosts_name" ON "hosts" ("name") WHERE state <> 'evicted';

CREATE UNIQUE INDEX "IX_events_operation" ON "events" ("operation");

INSERT INTO "__EFMigrationsHistory" ("MigrationId", "ProductVersion")
VALUES ('20261121122356_Cluster', '10.0.15');

DROP INDEX "IX_volumes_directory_export_server";

DROP INDEX "IX_volumes_name";

DROP INDEX "IX_volumes_purge_after";

ALTER TABLE "volumes" ADD "sampled_at" TEXT NULL;

ALTER TABLE "volumes" ADD "used_bytes" INTEGER NULL;

ALTER TABLE "volumes" ADD "used_files" INTEGER NULL;

ALTER TABLE "catalog" ADD "sampler_host_id" TEXT NULL;

ALTER TABLE "catalog" ADD "sampler_until" TEXT NULL;

CREATE TABLE "exports" (
    "server" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "host_id" TEXT NOT NULL,
    "directory" TEXT NOT NULL,
    "root_id" TEXT NOT NULL,
    CONSTRAINT "PK_exports" PRIMARY KEY ("server", "path"),
    CONSTRAINT "FK_exports_hosts_host_id" FOREIGN KEY ("host_id") REFERENCES "hosts" ("id") ON DELETE RESTRICT
);

CREATE TABLE "usage_samples" (
    "volume_id" TEXT NOT NULL,
    "taken_at" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "files" INTEGER NOT NULL,
    "host_id" TEXT NOT NULL,
    CONSTRAINT "PK_usage_samples" PRIMARY KEY ("volume_id", "taken_at")
);

CREATE TABLE "export_clients" (
    "server" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "host_id" TEXT NOT NULL,
    "address" TEXT NOT NULL,
    "fsid" TEXT NOT NULL,
    "withdraw_asked_at" TEXT NULL,
    "is_evicted" INTEGER NOT NULL,
    "withdrawn_at" TEXT NULL,
    CONSTRAINT "PK_export_clients" PRIMARY KEY ("server", "path", "host_id"),
    CONSTRAINT "FK_export_clients_exports_server_path" FOREIGN KEY ("server", "path") REFERENCES "exports" ("server", "path") ON DELETE CASCADE,
    CONSTRAINT "FK_export_clients_hosts_host_id" FOREIGN KEY ("host_id") REFERENCES "hosts" ("id") ON DELETE RESTRICT
);

UPDATE "catalog" SET "sampler_host_id" = NULL, "sampler_until" = NULL
WHERE "id" = 1;
SELECT changes();


CREATE INDEX "IX_volumes_directory_export_server" ON "volumes" ("directory", "export", "server") WHERE state IN ('ready', 'removing', 'restoring');

CREATE UNIQUE INDEX "IX_volumes_name" ON "volumes" ("name") WHERE state IN ('ready', 'removing', 'restoring');

CREATE INDEX "IX_volumes_purge_after" ON "volumes" ("purge_after") WHERE state IN ('trashed', 'purging', 'gone');

CREATE INDEX "IX_volumes_sampled_at" ON "volumes" ("sampled_at") WHERE state = 'ready';

CREATE INDEX "IX_export_clients_host_id" ON "export_clients" ("host_id");

CREATE INDEX "IX_exports_host_id" ON "exports" ("host_id");

CREATE INDEX "IX_usage_samples_taken_at" ON "usage_samples" ("taken_at");

INSERT INTO "__EFMigrationsHistory" ("MigrationId", "ProductVersion")
VALUES ('20261121183543_Storage', '10.0.15');

CREATE TABLE "usage_daily" (
    "day" TEXT NOT NULL,
    "volume_id" TEXT NOT NULL,
    "volume_name" TEXT NOT NULL,
    "bytes" INTEGER NOT NULL,
    "files" INTEGER NOT NULL,
    "min_bytes" INTEGER NOT NULL,
    "max_bytes" INTEGER NOT NULL,
    "sum_bytes" INTEGER NOT NULL,
    "samples" INTEGER NOT NULL,
    "sampled_at" TEXT NOT NULL,
    CONSTRAINT "PK_usage_daily" PRIMARY KEY ("day", "volume_id")
);

CREATE INDEX "IX_usage_daily_volume_id_day" ON "usage_daily" ("volume_id", "day");

INSERT INTO usage_daily (day, volume_id, volume_name, bytes, files, min_bytes, max_bytes, sum_bytes, samples, sampled_at)
SELECT d.day, d.volume_id, COALESCE(v.name, (SELECT max(e.volume_name) FROM events e WHERE e.volume_id = d.volume_id), d.volume_id),
       last.bytes, last.files, d.min_bytes, d.max_bytes, d.sum_bytes, d.samples, d.sampled_at
FROM (SELECT substr(taken_at, 1, 10) AS day, volume_id, min(bytes) AS min_bytes, max(bytes) AS max_bytes, sum(bytes) AS sum_bytes, count(*) AS samples, max(taken_at) AS sampled_at
      FROM usage_samples GROUP BY 1, 2) d
JOIN usage_samples last ON last.volume_id = d.volume_id AND last.taken_at = d.sampled_at
LEFT JOIN volumes v ON v.id = d.volume_id;

ALTER TABLE "volumes" ADD "last_used_at" TEXT NULL;

ALTER TABLE "events" ADD "actor" TEXT NULL;

ALTER TABLE "events" ADD "mounted_at" TEXT NULL;

CREATE TABLE "access_tokens" (
    "name" TEXT NOT NULL CONSTRAINT "PK_access_tokens" PRIMARY KEY,
    "hash" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "created_at" TEXT NOT NULL,
    "created_by" TEXT NOT NULL,
    "expires_at" TEXT NULL
);

CREATE TABLE "option_changes" (
    "volume_id" TEXT NOT NULL,
    "changed_at" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "old_value" TEXT NULL,
    "new_value" TEXT NULL,
    "host" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    CONSTRAINT "PK_option_changes" PRIMARY KEY ("volume_id", "changed_at", "key"),
    CONSTRAINT "FK_option_changes_volumes_volume_id" FOREIGN KEY ("volume_id") REFERENCES "volumes" ("id") ON DELETE CASCADE
);

CREATE TABLE "former_labels" (
    "volume_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    CONSTRAINT "PK_former_labels" PRIMARY KEY ("volume_id", "key")
);

CREATE INDEX "IX_events_at" ON "events" ("at");

CREATE UNIQUE INDEX "IX_access_tokens_hash" ON "access_tokens" ("hash");

UPDATE volumes
SET last_used_at = (SELECT max(e.at) FROM events e WHERE e.volume_id = volumes.id AND e.error IS NULL AND e.kind IN ('mount', 'unmount', 'reclaim', 'host-evict'));

CREATE VIEW report_volumes AS
SELECT v.id AS volume_id, v.name AS volume, v.state, v.backend, v.server, v.export, v.directory, v.access, v.on_remove, v.size_bytes, v.used_bytes, v.used_files, v.sampled_at AS used_at,
       EXISTS (SELECT 1 FROM mounts m WHERE m.volume_id = v.id) AS in_use,
       (SELECT count(*) FROM mounts m WHERE m.volume_id = v.id) AS mounts,
       (SELECT COALESCE(group_concat(name, ','), '') FROM (SELECT DISTINCT h.name FROM mounts m JOIN hosts h ON h.id = m.host_id WHERE m.volume_id = v.id ORDER BY h.name)) AS hosts,
       v.created_at, v.created_on_host, v.last_used_at, v.removed_at, v.purge_after,
       (SELECT json_group_object(key, value) FROM (SELECT l.key, l.value FROM volume_labels l WHERE l.volume_id = v.id ORDER BY l.key)) AS labels
FROM volumes v WHERE v.state <> 'gone';

CREATE VIEW report_labels AS
SELECT volume_id, key, value FROM volume_labels
UNION ALL
SELECT volume_id, key, value FROM former_labels;

CREATE VIEW report_mounts AS
SELECT m.volume_id, v.name AS volume, m.host_id, h.name AS host, h.state AS host_state, m.caller_id, m.count, m.mounted_at,
       round((julianday('now') - julianday(m.mounted_at)) * 86400, 3) AS seconds
FROM mounts m JOIN volumes v ON v.id = m.volume_id JOIN hosts h ON h.id = m.host_id;

CREATE VIEW report_hosts AS
SELECT h.id AS host_id, h.name AS host, h.state, h.address, h.version, h.last_seen_at, h.lease_expires_at, h.engine_generation AS engine_starts,
       (SELECT count(*) FROM mounts m WHERE m.host_id = h.id) AS mounts,
       (SELECT count(DISTINCT m.volume_id) FROM mounts m WHERE m.host_id = h.id) AS volumes
FROM hosts h;

CREATE VIEW report_usage_daily AS
SELECT day, volume_id, volume_name AS volume, bytes, files, min_bytes, max_bytes, sum_bytes / samples AS mean_bytes, CAST(sum_bytes AS REAL) / samples / 1073741824 AS gib_days,
       samples, sampled_at
FROM usage_daily;

CREATE VIEW report_idle_volumes AS
SELECT v.id AS volume_id, v.name AS volume, v.backend, v.created_at, v.last_used_at, COALESCE(v.last_used_at, v.created_at) AS idle_since,
       julianday('now') - julianday(COALESCE(v.last_used_at, v.created_at)) AS idle_days, v.size_bytes, v.used_bytes, v.sampled_at AS used_at,
       (SELECT json_group_object(key, value) FROM (SELECT l.key, l.value FROM volume_labels l WHERE l.volume_id = v.id ORDER BY l.key)) AS labels
FROM volumes v
WHERE v.state = 'ready' AND NOT EXISTS (SELECT 1 FROM mounts m WHERE m.volume_id = v.id);

CREATE VIEW report_mount_history AS
SELECT m.volume_id, v.name AS volume, h.name AS host, m.caller_id, m.mounted_at, NULL AS ended_at, NULL AS ended_by,
       round((julianday('now') - julianday(m.mounted_at)) * 86400, 3) AS seconds
FROM mounts m JOIN volumes v ON v.id = m.volume_id JOIN hosts h ON h.id = m.host_id
UNION ALL
SELECT e.volume_id, e.volume_name, e.host, e.caller_id, e.mounted_at, e.at, e.kind, round((julianday(e.at) - julianday(e.mounted_at)) * 86400, 3)
FROM events e WHERE e.mounted_at IS NOT NULL;

CREATE VIEW report_events AS
SELECT id AS event_id, at, host, volume_id, volume_name AS volume, kind, caller_id, duration_ms, error, detail, actor FROM events;

CREATE VIEW report_option_changes AS
SELECT c.volume_id, v.name AS volume, c.changed_at, c.key, c.old_value, c.new_value, c.host, c.actor FROM option_changes c JOIN volumes v ON v.id = c.volume_id;

INSERT INTO "__EFMigrationsHistory" ("MigrationId", "ProductVersion")
VALUES ('20261122022818_Reports', '10.0.15');

