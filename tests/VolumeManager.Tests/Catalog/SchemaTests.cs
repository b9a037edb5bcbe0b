using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using VolumeManager.Catalog;
using VolumeManager.Mounts;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Catalog;

[Trait("Catalog", "sqlite")]
public sealed class SchemaTests
{
    [Fact]
    public void The_migrations_do_not_lag_behind_the_model()
    {
        using var db = new CatalogContext(SqliteCatalog.Options(":memory:"));
        Assert.False(db.Database.HasPendingModelChanges(), "the model has changed: run `dotnet ef migrations add NAME` in migrations/VolumeManager.Migrations.Sqlite");
    }

    [Fact]
    public async Task A_newer_schema_is_refused_with_both_versions_and_nothing_is_changed()
    {
        await using var host = await TestHost.StartNewAsync();
        await host.StopAsync();
        await using (var db = host.OpenCatalog())
        {
            await db.Database.ExecuteSqlRawAsync("INSERT INTO __EFMigrationsHistory (MigrationId, ProductVersion) VALUES ('29990101000000_Future', '99')");
        }

        var refused = await Assert.ThrowsAsync<CatalogSchemaException>(host.StartAsync);
        Assert.Matches("schema is 29990101000000_Future, newer than this volman, which knows up to [0-9]+_[A-Za-z]+: install", refused.Message);
        Assert.False(File.Exists(host.Settings.Socket), "the socket is gone again");
        await using var after = host.OpenCatalog();
        Assert.Equal("29990101000000_Future", (await after.Database.GetAppliedMigrationsAsync()).Last());
    }

    [Fact]
    public async Task An_older_schema_is_refused_when_migrating_is_off()
    {
        await using var host = new TestHost();
        host.Settings = host.Settings with { Migrate = false };
        var refused = await Assert.ThrowsAsync<CatalogSchemaException>(host.StartAsync);
        Assert.Contains("the catalog's schema is empty", refused.Message, StringComparison.Ordinal);
        Assert.Contains("--migrate true", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_lock_of_a_daemon_killed_while_migrating_does_not_block_the_next()
    {
        await using var host = new TestHost();
        Directory.CreateDirectory(host.Settings.StateDirectory);
        // What EF leaves behind when its process dies between taking the lock and the first migration.
        await using (var db = host.OpenCatalog())
        {
            await db.Database.ExecuteSqlRawAsync(
                """CREATE TABLE "__EFMigrationsLock" ("Id" INTEGER NOT NULL CONSTRAINT "PK___EFMigrationsLock" PRIMARY KEY, "Timestamp" TEXT NOT NULL)""");
            await db.Database.ExecuteSqlRawAsync("""INSERT INTO "__EFMigrationsLock" VALUES (1, '2026-01-01')""");
        }

        await host.StartAsync().WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal("", await host.Engine.CreateAsync("v"));
    }

    [Theory]
    [InlineData("of a new catalog")]
    [InlineData("of an older catalog")]
    public async Task A_daemon_killed_at_any_moment_of_its_first_start_starts_again(string start)
    {
        // How long a start takes on this machine now.
        var clock = Stopwatch.StartNew();
        await using (var other = await PrepareAsync()) using (await DaemonProcess.StartAsync(other)) clock.Stop();
        await using var host = await PrepareAsync();
        for (var eighth = 1; eighth <= 8; eighth++)
        {
            using (var daemon = DaemonProcess.Start(host))
            {
                await Task.Delay(clock.Elapsed * eighth / 8);
                await daemon.KillAsync();
            }
        }

        await host.StartAsync().WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal("", await host.Engine.CreateAsync("v"));

        async Task<TestHost> PrepareAsync()
        {
            var prepared = new TestHost();
            if (start == "of a new catalog") return prepared;
            Directory.CreateDirectory(prepared.Settings.StateDirectory);
            await using var db = prepared.OpenCatalog();
            await db.GetService<IMigrator>().MigrateAsync("Initial");
            return prepared;
        }
    }

    [Fact]
    public async Task Commits_are_durable_and_foreign_keys_are_enforced()
    {
        await using var host = await TestHost.StartNewAsync();
        await using var db = host.OpenCatalog();
        Assert.Equal("wal", await db.Database.SqlQueryRaw<string>("SELECT journal_mode AS Value FROM pragma_journal_mode").SingleAsync());
        Assert.Equal(2 /* FULL */, await db.Database.SqlQueryRaw<int>("SELECT synchronous AS Value FROM pragma_synchronous").SingleAsync());
        var orphan = new Mount
        {
            VolumeId = Guid.NewGuid(),
            HostId = Guid.NewGuid(),
            CallerId = "x",
            Count = 1,
            BootId = "b",
            EngineGeneration = 0,
            MountedAt = DateTime.UtcNow,
        };
        db.Mounts.Add(orphan);
        var refused = await Assert.ThrowsAsync<DbUpdateException>(() => db.SaveChangesAsync());
        Assert.Contains("FOREIGN KEY constraint failed", refused.InnerException!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_catalog_is_kept_by_the_bundled_SQLite_which_has_the_fix_of_the_WAL_reset_bug()
    {
        await using var host = await TestHost.StartNewAsync();
        await using var db = host.OpenCatalog();
        var version = await db.Database.SqlQueryRaw<string>("SELECT sqlite_version() AS Value").SingleAsync();
        Assert.True(Version.Parse(version) >= new Version(3, 51, 3), version);
        var libraries = File.ReadLines("/proc/self/maps").Select(line => Path.GetFileName(line))
            .Where(name => name.Contains("sqlite3.so", StringComparison.Ordinal)).Distinct();
        Assert.Equal(["libe_sqlite3.so"], libraries);
    }

    [Fact]
    public async Task A_catalog_that_cannot_be_opened_makes_no_engine_forget_a_volume()
    {
        await using var host = await TestHost.StartNewAsync();
        await host.StopAsync();
        await File.WriteAllTextAsync(Path.Combine(host.Settings.StateDirectory, "catalog.db"), string.Concat(Enumerable.Repeat("this is no database ", 1000)));
        using var daemon = DaemonProcess.Start(host);
        for (var deadline = DateTime.UtcNow.AddSeconds(30); !daemon.HasExited && DateTime.UtcNow < deadline;)
        {
            try
            {
                Assert.True((await host.Engine.GetAsync("v")).Aborted, "a Get is not answered");
            }
            catch (System.Net.Sockets.SocketException)
            {
                await Task.Delay(1);
            }
        }

        Assert.Equal(1, daemon.ExitCode);
    }

    [Fact]
    public async Task What_another_host_left_in_a_restored_catalog_is_dropped()
    {
        await using var host = await TestHost.StartNewAsync();
        await host.Engine.CreateAsync("v");
        await host.Engine.MountAsync("v", "x");
        await host.StopAsync();
        host.UnmountAll();
        // The machine was rebuilt, and its catalog restored from a backup.
        File.Delete(Path.Combine(host.Settings.StateDirectory, "host-id"));
        await host.StartAsync();
        Assert.Equal(0, await host.CountMountRowsAsync());
        Assert.Equal("", await host.Engine.RemoveAsync("v"));
    }

    [Fact]
    public async Task The_catalog_is_readable_by_root_alone()
    {
        await using var host = await TestHost.StartNewAsync();
        await host.Engine.CreateAsync("v");
        foreach (var file in Directory.GetFiles(host.Settings.StateDirectory, "catalog.db*"))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    [Fact]
    public async Task Events_tell_a_volumes_life()
    {
        await using var host = await TestHost.StartNewAsync();
        await host.Engine.CreateAsync("v", new { size = "1G" });
        await host.Engine.MountAsync("v", "x");
        await host.Engine.RemoveAsync("v");
        await host.Engine.UnmountAsync("v", "x");
        await host.Engine.RemoveAsync("v");
        Assert.Equal(["create", "mount", "attach", "remove!", "unmount", "remove"], await host.EventsAsync("v"));
    }
}
