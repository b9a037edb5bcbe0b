using Microsoft.EntityFrameworkCore;
using Npgsql;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Tests.Hosts;
using VolumeManager.TestSupport.Postgres;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Clusters;

/// <summary>The shared schema, its roles, and the way of a single host into a cluster.</summary>
[Trait("Catalog", "postgres")]
public class MigrationTests
{
    static async Task<IReadOnlyList<string>> MigrateAsync(string connectionString, bool dryRun = false)
    {
        await using var database = new PostgresDatabase(connectionString, "test");
        return await database.RunAsync(connection => PostgresSchema.MigrateAsync(connection, dryRun, CancellationToken.None), CancellationToken.None);
    }

    [Fact]
    public async Task Ten_hosts_may_migrate_at_once()
    {
        var server = await SharedServer.GetAsync();
        var database = server.ConnectionString(await server.CreateDatabaseAsync());
        Assert.NotEmpty(await MigrateAsync(database, dryRun: true));
        var applied = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => MigrateAsync(database)));
        Assert.Single(applied, migrations => migrations.Count > 0);
        Assert.Empty(await MigrateAsync(database));
    }

    [Fact]
    public async Task An_empty_or_newer_schema_is_refused_with_both_versions_and_the_cure()
    {
        var server = await SharedServer.GetAsync();
        var empty = await server.CreateDatabaseAsync();
        await using var host = new TestHost("h", server.ConnectionString(empty), null);
        Assert.Matches("^the catalog's schema is empty and this volman needs [0-9]+_.*: run volman migrate", (await Assert.ThrowsAsync<CatalogSchemaException>(host.StartAsync)).Message);

        var newer = await SharedServer.TakeDatabaseAsync();
        await server.ExecuteAsync("INSERT INTO \"__EFMigrationsHistory\" VALUES ('29990101000000_Future', '99')", newer);
        await using var late = new TestHost("h", server.ConnectionString(newer), null);
        Assert.Matches("^the catalog's schema is 29990101000000_Future, newer than this volman, which knows up to", (await Assert.ThrowsAsync<CatalogSchemaException>(late.StartAsync)).Message);
        Assert.Matches("newer than this volman", (await Assert.ThrowsAsync<CatalogSchemaException>(() => MigrateAsync(server.ConnectionString(newer)))).Message);
        Assert.Equal(0, await server.ScalarAsync<long>("SELECT count(*) FROM hosts", newer));
    }

    [Fact]
    public async Task A_daemon_that_runs_goes_on_when_the_schema_grows_under_it()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        await cluster.ExecuteAsync("INSERT INTO \"__EFMigrationsHistory\" VALUES ('29990101000000_Future', '99'); ALTER TABLE volumes ADD COLUMN future text");
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await cluster.CutAsync(0);
        await cluster.HealAsync(0);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("w"));
    }

    [Fact]
    public async Task The_documented_roles_can_do_what_they_must_and_no_more()
    {
        await using var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast);
        var script = Path.Combine(RepositoryRoot(), "docs/postgresql.sql");
        await Command.OutputOfAsync(
            "psql", "-q", "-h", server.SocketDirectory, "-p", $"{server.Port}", "-U", "postgres", "-v", "owner_password=o", "-v", "daemon_password=d", "-v", "report_password=r", "-f", script);
        // As the script of 0.2.0 said: what it lets the role read is taken back.
        await server.ExecuteAsync("ALTER DEFAULT PRIVILEGES FOR ROLE volman_owner IN SCHEMA public GRANT SELECT ON TABLES TO volman_report", "volman");
        await MigrateAsync(server.ConnectionString("volman", "volman_owner"));
        await using var host = new TestHost("h", server.ConnectionString("volman", "volman"), null);
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal("", await host.Engine.MountAsync("v", "x"));
        Assert.Equal("", await host.Engine.UnmountAsync("v", "x"));
        Assert.Equal("", await host.Engine.RemoveAsync("v"));

        Assert.Equal("1", await AskAsync("volman_report", "SELECT count(*)::text FROM report_volumes"));
        Assert.Equal("1", await AskAsync("volman_report", "SELECT count(*)::text FROM report_mount_history"));
        await server.ExecuteAsync("SET ROLE volman_owner; CREATE TABLE of_later (i int)", "volman");
        var readable = await server.ScalarAsync<string>(
            "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'm', 'S') AND has_table_privilege('volman_report', oid, 'SELECT')", "volman");
        Assert.Equal("report_events report_hosts report_idle_volumes report_labels report_mount_history report_mounts report_option_changes report_usage_daily report_volumes", readable);
        foreach (var (user, sql) in new[]
        {
            ("volman_report", "SELECT * FROM volumes"), ("volman_report", "SELECT hash FROM access_tokens"), ("volman_report", "DELETE FROM report_events"), ("volman_report", "SELECT * FROM \"__EFMigrationsHistory\""),
            ("volman_report", "DELETE FROM events"), ("volman_report", "UPDATE volumes SET name = 'x'"), ("volman_report", "CREATE TABLE t (i int)"),
            ("volman", "DROP TABLE events"), ("volman", "CREATE TABLE t (i int)"), ("volman", "ALTER TABLE events ADD COLUMN x int"),
        })
        {
            Assert.Equal("42501", (await Assert.ThrowsAsync<PostgresException>(() => AskAsync(user, sql))).SqlState);
        }

        async Task<string?> AskAsync(string user, string sql)
        {
            await using var connection = new NpgsqlConnection(server.ConnectionString("volman", user, "Pooling=false"));
            await connection.OpenAsync();
            await using var command = new NpgsqlCommand(sql, connection);
            return (string?)await command.ExecuteScalarAsync();
        }
    }

    [Fact]
    public async Task A_single_hosts_catalog_moves_into_the_cluster_whole_and_its_containers_go_on()
    {
        if (TestHost.IsGlobal) return;
        var server = await SharedServer.GetAsync();
        var database = server.ConnectionString(await SharedServer.TakeDatabaseAsync());
        await using var host = new TestHost("single", "", null);
        await host.StartAsync();
        await host.Engine.ActivateAsync();
        Assert.Equal("", await host.Engine.CreateAsync("held", new Dictionary<string, string> { ["label.team"] = "a", ["mode"] = "0750", ["access"] = "single-host" }));
        Assert.Equal("", await host.Engine.CreateAsync("idle", new Dictionary<string, string> { ["size"] = "1G" }));
        Assert.Equal("", await host.Engine.CreateAsync("trashed", new Dictionary<string, string> { ["label.team"] = "b" }));
        Assert.Equal("", await host.Engine.RemoveAsync("trashed"));
        Assert.Equal("", await host.Engine.CreateAsync("used"));
        Assert.Equal("", await host.Engine.MountAsync("used", "z"));
        Assert.Equal("", await host.Engine.UnmountAsync("used", "z"));
        foreach (var id in new[] { "x", "x", "y" }) Assert.Equal("", await host.Engine.MountAsync("held", id));
        await File.WriteAllTextAsync(host.TargetOf("held") + "/f", "data");
        await host.StopAsync();
        List<string> before;
        DateTime? lastUsed;
        await using (var local = host.OpenCatalog())
        {
            before = await local.Events.OrderBy(e => e.Id).Select(e => $"{e.Kind} {e.VolumeName} {e.CallerId} {e.Detail} {e.At:yyyy-MM-dd HH:mm:ss.fff}").ToListAsync();
            lastUsed = await local.Volumes.Where(v => v.Name == "used").Select(v => EF.Property<DateTime?>(v, "LastUsedAt")).SingleAsync();
            Assert.NotNull(lastUsed);
            // PostgreSQL keeps microseconds.
            lastUsed = new DateTime(lastUsed.Value.Ticks / 10 * 10, DateTimeKind.Utc);
            // More than are moved at a time, and several of one moment.
            local.UsageSamples.AddRange(Enumerable.Range(0, 1800).Select(i => new UsageSample
            {
                VolumeId = Guid.NewGuid(),
                TakenAt = new DateTime(2026, 1, 1, 0, i / 30, 0, DateTimeKind.Utc),
                Bytes = i,
                Files = 1,
                HostId = Guid.NewGuid(),
            }));
            local.UsageDays.AddRange(Enumerable.Range(0, 1200).Select(i => new UsageDay
            {
                VolumeId = Guid.NewGuid(),
                VolumeName = $"d{i}",
                Day = new DateOnly(2026, 1, 1).AddDays(i / 30),
                Bytes = i,
                Files = 1,
                MinBytes = i,
                MaxBytes = i,
                SumBytes = 2 * i,
                Samples = 2,
                SampledAt = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc).AddDays(i / 30),
            }));
            local.FormerLabels.Add(new FormerLabel { VolumeId = Guid.NewGuid(), Key = "team", Value = "c" });
            await local.SaveChangesAsync();
            // A catalog of before there were operations.
            await local.Database.ExecuteSqlAsync($"UPDATE events SET operation = NULL WHERE id % 2 = 0");
        }

        async Task<Promotion.Moved> PromoteAsync(bool dryRun)
        {
            using var state = StateDirectory.Open(host.Settings.StateDirectory);
            await using var catalog = new PostgresDatabase(database, "single");
            return await new Promotion(state, "single", DataRootId.ReadOrMake(host.Settings.DataRoot)).RunAsync(catalog, dryRun, TextWriter.Null, CancellationToken.None);
        }

        var tried = await PromoteAsync(dryRun: true);
        Assert.Equal(new Promotion.Moved(4, 2, before.Count), tried);
        await using var shared = new CatalogContext(PostgresSchema.Options(database));
        Assert.Equal(0, await shared.Volumes.CountAsync() + await shared.Events.CountAsync() + await shared.Hosts.CountAsync());

        // Killed after the database's commit: the file is there still, and all is done again.
        var file = Path.Combine(host.Settings.StateDirectory, "catalog.db");
        // A copy of the file alone is whole only when nothing waits in its log.
        await using (var db = host.OpenCatalog()) await db.Database.ExecuteSqlRawAsync("PRAGMA wal_checkpoint(TRUNCATE)");
        File.Copy(file, file + ".copy");
        Assert.Equal(tried, await PromoteAsync(dryRun: false));
        File.Move(file + ".copy", file);
        Assert.Equal(tried, await PromoteAsync(dryRun: false));
        Assert.Contains("was moved into a cluster already", (await Assert.ThrowsAsync<VolumeException>(() => PromoteAsync(dryRun: false))).Message, StringComparison.Ordinal);
        Assert.Equal(before, await shared.Events.OrderBy(e => e.Id).Select(e => $"{e.Kind} {e.VolumeName} {e.CallerId} {e.Detail} {e.At:yyyy-MM-dd HH:mm:ss.fff}").ToListAsync());
        Assert.Equal((1800, 1800 * 1799 / 2), (await shared.UsageSamples.CountAsync(), await shared.UsageSamples.SumAsync(s => s.Bytes)));
        Assert.Equal((1200, 1200 * 1199), (await shared.UsageDays.CountAsync(), await shared.UsageDays.SumAsync(d => d.SumBytes)));
        Assert.Equal("c", (await shared.FormerLabels.SingleAsync()).Value);
        Assert.Equal(lastUsed, await shared.Volumes.Where(v => v.Name == "used").Select(v => EF.Property<DateTime?>(v, "LastUsedAt")).SingleAsync());
        Assert.Equal(4, await shared.Volumes.CountAsync());

        host.Settings = host.Settings with { Database = database };
        await host.StartAsync();
        Assert.Equal(["held", "idle", "used"], await host.Engine.ListAsync());
        var status = await ClusterTests.StatusAsync(host.Engine, "held");
        Assert.Equal("a", status.GetProperty("Labels").GetProperty("team").GetString());
        Assert.Equal("3", status.GetProperty("Holders")[0].GetProperty("Mounts").GetString());
        Assert.Equal("data", await File.ReadAllTextAsync(host.TargetOf("held") + "/f"));
        foreach (var id in new[] { "x", "x", "y" }) Assert.Equal("", await host.Engine.UnmountAsync("held", id));
        Assert.Empty(host.KernelMounts());
        Assert.Equal(0, await shared.Mounts.CountAsync());
        Assert.Equal("", await host.Engine.RemoveAsync("held"));
        using var operate = Admin.OperatorClient.Of(host);
        Assert.Equal("", (await operate.RestoreAsync("trashed")).Detail);
        Assert.Equal("b", (await ClusterTests.StatusAsync(host.Engine, "trashed")).GetProperty("Labels").GetProperty("team").GetString());
    }

    [Fact]
    public async Task Volumes_on_nfs_are_in_the_cluster_where_they_were()
    {
        if (TestHost.IsGlobal) return;
        var server = await SharedServer.GetAsync();
        var database = server.ConnectionString(await SharedServer.TakeDatabaseAsync());
        await using var host = new TestHost("single", "", null);
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("here"));
        await host.StopAsync();
        await using (var local = host.OpenCatalog())
        {
            // Made where a server is; whoever moves them asks none.
            var nfs = (await local.Volumes.AsNoTracking().SingleAsync()) with { Backend = "nfs", Server = "nas", Export = "/volumes" };
            local.Volumes.AddRange(new[] { VolumeState.Ready, VolumeState.Trashed, VolumeState.Purging }.Select(state => nfs with
            {
                Id = Guid.NewGuid(),
                Name = EnumText.Of(state),
                Directory = EnumText.Of(state),
                State = state,
                RemovedAt = state == VolumeState.Ready ? null : nfs.CreatedAt,
                PurgeAfter = state == VolumeState.Ready ? null : nfs.CreatedAt,
            }));
            await local.SaveChangesAsync();
        }

        using (var state = StateDirectory.Open(host.Settings.StateDirectory))
        {
            await using var catalog = new PostgresDatabase(database, "single");
            await new Promotion(state, "single", "the-root").RunAsync(catalog, false, TextWriter.Null, CancellationToken.None);
        }

        await using var shared = new CatalogContext(PostgresSchema.Options(database));
        Assert.Equal(
            ["here local  the-root", "purging nfs nas /volumes", "ready nfs nas /volumes", "trashed nfs nas /volumes"],
            await shared.Volumes.OrderBy(v => v.Name).Select(v => $"{v.Name} {v.Backend} {v.Server} {v.Export}").ToListAsync());
        await using var ledger = host.OpenLedger();
        Assert.Equal(["here the-root", "ready /volumes"], await ledger.Volumes.OrderBy(v => v.Name).Select(v => $"{v.Name} {v.Export}").ToListAsync());
    }

    [Fact]
    public async Task A_single_hosts_catalog_is_not_passed_over_in_silence_and_does_not_overwrite_the_clusters()
    {
        if (TestHost.IsGlobal) return;
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        await using var host = new TestHost("single", "", null);
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal("", await host.Engine.CreateAsync("w"));
        await host.StopAsync();
        host.Settings = host.Settings with { Database = cluster.Server.ConnectionString(cluster.Database) };
        Assert.Contains("run volman migrate --from-local", (await Assert.ThrowsAsync<VolumeException>(host.StartAsync)).Message, StringComparison.Ordinal);

        using var state = StateDirectory.Open(host.Settings.StateDirectory);
        await using var catalog = new PostgresDatabase(host.Settings.Database, "single");
        // The same data root would make even the directories collide.
        var promotion = new Promotion(state, "single", DataRootId.ReadOrMake(host.Settings.DataRoot));
        Assert.Contains("these volumes are in the cluster already, or their directories are: v; ",
            (await Assert.ThrowsAsync<VolumeException>(() => promotion.RunAsync(catalog, false, TextWriter.Null, CancellationToken.None))).Message, StringComparison.Ordinal);
        Assert.Equal(["v"], await cluster[0].Engine.ListAsync());
        Assert.Contains("belongs to another host", (await Assert.ThrowsAsync<VolumeException>(
            () => new Promotion(state, "host-0", "root").RunAsync(catalog, false, TextWriter.Null, CancellationToken.None))).Message, StringComparison.Ordinal);
    }

    internal static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "VolumeManager.sln"))) folder = folder.Parent;
        return folder.FullName;
    }
}
