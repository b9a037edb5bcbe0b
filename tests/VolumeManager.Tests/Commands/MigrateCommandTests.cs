using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using VolumeManager.Catalog;
using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Hosts;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Commands;

/// <summary><c>volman migrate</c> as an operator runs it: what it says, and how it ends.</summary>
[Trait("Catalog", "postgres")]
public sealed class MigrateCommandTests : IDisposable
{
    readonly ScratchFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string State => _folder.Of("state");

    Task<VolmanProcess.Ended> MigrateAsync(string? database, params string[] more) => VolmanProcess.RunAsync(
        ["migrate", "--state-dir", State, "--data-root", _folder.FullPath + "/data", .. database is null ? Array.Empty<string>() : ["--database", database], .. more], null);

    [Fact]
    public async Task An_empty_database_gets_the_schema_and_a_second_time_there_is_nothing_to_do()
    {
        var server = await SharedServer.GetAsync();
        var name = await server.CreateDatabaseAsync();
        var database = server.ConnectionString(name);
        var tried = await MigrateAsync(database, "--dry-run");
        Assert.Equal((0, ""), (tried.ExitCode, tried.Errors));
        Assert.Matches($"^Would apply to {name} on {server.SocketDirectory}: [0-9]+_Initial.*\\.\n$", tried.Output);
        Assert.False(await server.ScalarAsync<bool>("SELECT to_regclass('volumes') IS NOT NULL", name));

        var applied = await MigrateAsync(database);
        Assert.Equal((0, tried.Output.Replace("Would apply", "Applied", StringComparison.Ordinal), ""), (applied.ExitCode, applied.Output, applied.Errors));
        Assert.Equal(0, await server.ScalarAsync<long>("SELECT count(*) FROM volumes", name));
        foreach (var again in new[] { await MigrateAsync(database), await MigrateAsync(database, "--dry-run") })
        {
            Assert.Equal(new VolmanProcess.Ended(0, $"The schema of {name} on {server.SocketDirectory} is up to date.\n", ""), again);
        }

        Assert.False(Directory.Exists(State), "the schema of the shared database is no matter of this host's");
    }

    [Fact]
    public async Task An_older_database_becomes_what_an_empty_one_becomes()
    {
        var server = await SharedServer.GetAsync();
        var (older, empty) = (await server.CreateDatabaseAsync(), await server.CreateDatabaseAsync());
        await using (var db = new CatalogContext(PostgresSchema.Options(server.ConnectionString(older)))) await db.GetService<IMigrator>().MigrateAsync("Initial");
        Assert.Matches($"^Applied to {older} on {server.SocketDirectory}: [0-9]+_Storage, .*\\.\n$", (await MigrateAsync(server.ConnectionString(older))).Output);
        Assert.Equal(0, (await MigrateAsync(server.ConnectionString(empty))).ExitCode);
        Assert.Equal(await server.ScalarAsync<string>(DatabasePool.Schema, empty), await server.ScalarAsync<string>(DatabasePool.Schema, older));
    }

    [Fact]
    public async Task A_database_that_is_newer_away_or_missing_is_refused_in_one_sentence()
    {
        var server = await SharedServer.GetAsync();
        var newer = await SharedServer.TakeDatabaseAsync();
        await server.ExecuteAsync("INSERT INTO \"__EFMigrationsHistory\" VALUES ('29990101000000_Future', '99')", newer);
        VolmanProcess.AssertRefused(
            "the catalog's schema is 29990101000000_Future, newer than this volman, which knows up to [0-9]+_[A-Za-z]+: install the volman that wrote it, or a later one",
            await MigrateAsync(server.ConnectionString(newer)));
        VolmanProcess.AssertRefused(
            $"the catalog's database volman on {_folder} does not answer \\(.+\\): see to it, then try again",
            await MigrateAsync($"Host={_folder};Database=volman;Username=volman;Password=secret"));
        VolmanProcess.AssertRefused(
            "the catalog's database volman on 127.0.0.1 does not answer \\(Connection refused\\): see to it, then try again",
            await MigrateAsync("Host=127.0.0.1;Port=1;Database=volman;Username=volman;Password=secret"));
        VolmanProcess.AssertRefused(
            $"the catalog's database nobody on {server.SocketDirectory} does not let volman in \\(database \"nobody\" does not exist\\): see to user, password and database of the connection string, then try again",
            await MigrateAsync(server.ConnectionString("nobody")));
        VolmanProcess.AssertRefused("the setting database is no PostgreSQL connection string: .*", await MigrateAsync("Host=db;Password=secret;Colour=secret"));
    }

    [Fact]
    public async Task A_wrong_password_is_told_and_no_password_is_shown()
    {
        var rules = _folder.Of("pg_hba.conf");
        await File.WriteAllTextAsync(rules, "local all postgres trust\nlocal all all scram-sha-256\n");
        await Command.OutputOfAsync("chmod", "a+rx", _folder.FullPath);
        await using var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast with { Settings = new Dictionary<string, string> { ["hba_file"] = rules } });
        await server.ExecuteAsync("CREATE ROLE owner LOGIN PASSWORD 'right'");
        await server.ExecuteAsync("CREATE DATABASE catalog OWNER owner");
        VolmanProcess.AssertRefused(
            $"the catalog's database catalog on {server.SocketDirectory} does not let volman in \\(password authentication failed for user \"owner\"\\): see to user, password and database .*",
            await MigrateAsync(server.ConnectionString("catalog", "owner", "Password=secret")));

        var file = _folder.Of("database");
        await File.WriteAllTextAsync(file, server.ConnectionString("catalog", "owner", "Password=secret") + "\n");
        var variables = new Dictionary<string, string> { ["VOLMAN_DATABASE_FILE"] = file };
        VolmanProcess.AssertRefused(".*password authentication failed.*", await VolmanProcess.RunAsync(["migrate"], variables));
        await File.WriteAllTextAsync(file, server.ConnectionString("catalog", "owner", "Password=right") + "\n");
        var applied = await VolmanProcess.RunAsync(["migrate"], variables);
        Assert.Equal((0, ""), (applied.ExitCode, applied.Errors));
        Assert.StartsWith("Applied to catalog on ", applied.Output, StringComparison.Ordinal);
        variables["VOLMAN_DATABASE"] = "Host=other;Password=secret";
        VolmanProcess.AssertRefused("database and database-file are both set: set one of them", await VolmanProcess.RunAsync(["migrate"], variables));
    }

    [Fact]
    public async Task A_role_that_does_not_own_the_database_is_told_what_it_lacks()
    {
        var server = await SharedServer.GetAsync();
        var name = await server.CreateDatabaseAsync();
        await server.ExecuteAsync("CREATE ROLE guest LOGIN");
        await server.ExecuteAsync("REVOKE CREATE ON SCHEMA public FROM PUBLIC", name);
        VolmanProcess.AssertRefused(
            $"the catalog's database {name} on {server.SocketDirectory} refused \\(permission denied for schema public\\): nothing was changed; use the roles that docs/postgresql.sql makes, the owner to migrate .+",
            await MigrateAsync(server.ConnectionString(name, "guest")));
    }

    [Fact]
    public async Task Without_a_database_it_is_about_this_hosts_own_catalog_and_a_dry_run_makes_none()
    {
        var tried = await MigrateAsync(null, "--dry-run");
        Assert.Equal((0, ""), (tried.ExitCode, tried.Errors));
        Assert.Matches($"^Would apply to {State}/catalog.db: [0-9]+_Initial, .*\\.\n$", tried.Output);
        Assert.False(Directory.Exists(State));
        var applied = await MigrateAsync(null);
        Assert.Equal((0, tried.Output.Replace("Would apply", "Applied", StringComparison.Ordinal)), (applied.ExitCode, applied.Output));
        Assert.Equal(new VolmanProcess.Ended(0, $"The schema of {State}/catalog.db is up to date.\n", ""), await MigrateAsync(null));
        VolmanProcess.AssertRefused("--from-local moves this host's catalog into a database: name it with --database-file", await MigrateAsync(null, "--from-local"));
    }

    [Fact]
    public async Task A_single_hosts_catalog_is_moved_once_and_tried_before_without_a_trace()
    {
        if (TestHost.IsGlobal) return;
        var server = await SharedServer.GetAsync();
        var name = await server.CreateDatabaseAsync();
        await using var host = new TestHost("single", "", null);
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("held"));
        Assert.Equal("", await host.Engine.CreateAsync("idle"));
        Assert.Equal("", await host.Engine.MountAsync("held", "x"));
        string[] move = ["migrate", "--from-local", "--host-name", "single", "--state-dir", host.Settings.StateDirectory, "--data-root", host.Settings.DataRoot, "--database", server.ConnectionString(name)];
        VolmanProcess.AssertRefused("another volman \\(process [0-9]+\\) uses the state directory .+: stop it, or give this one its own --state-dir", await VolmanProcess.RunAsync(move));
        await host.StopAsync();

        // It had not begun with the database either.
        Assert.False(await server.ScalarAsync<bool>("SELECT to_regclass('volumes') IS NOT NULL", name));
        var tried = await VolmanProcess.RunAsync([.. move, "--dry-run"]);
        Assert.Equal((1, "volman: the database has no schema yet, so moving this host's catalog cannot be tried: run volman migrate first\n"), (tried.ExitCode, tried.Errors));
        Assert.Equal(0, (await MigrateAsync(server.ConnectionString(name))).ExitCode);
        var files = Files(host);
        tried = await VolmanProcess.RunAsync([.. move, "--dry-run"]);
        Assert.Equal((0, ""), (tried.ExitCode, tried.Errors));
        Assert.Matches("\nWould move 2 volumes, 1 mounts and [0-9]+ events\\.\n$", tried.Output);
        Assert.Equal(0, await server.ScalarAsync<long>("SELECT (SELECT count(*) FROM volumes) + (SELECT count(*) FROM hosts) + (SELECT count(*) FROM events)", name));
        Assert.Equal(files, Files(host));

        var moved = await VolmanProcess.RunAsync(move);
        Assert.Equal((0, tried.Output.Replace("Would move", "Moved", StringComparison.Ordinal), ""), (moved.ExitCode, moved.Output, moved.Errors));
        var again = await VolmanProcess.RunAsync(move);
        Assert.Equal((1, $"volman: this host's catalog was moved into a cluster already, and is kept as {host.Settings.StateDirectory}/catalog.db.promoted: start volman serve with the database\n"), (again.ExitCode, again.Errors));
        Assert.Equal(2, await server.ScalarAsync<long>("SELECT count(*) FROM volumes", name));

        host.Settings = host.Settings with { Database = server.ConnectionString(name) };
        await host.StartAsync();
        Assert.Equal(["held", "idle"], await host.Engine.ListAsync());
        Assert.Equal("", await host.Engine.UnmountAsync("held", "x"));
        Assert.Empty(host.KernelMounts());
    }

    /// <summary>All files of the host but SQLite's own shadows, with their contents' sizes.</summary>
    static IReadOnlyList<string> Files(TestHost host) =>
    [
        .. Directory.EnumerateFiles(host.Settings.StateDirectory).Concat(Directory.EnumerateFiles(host.Settings.DataRoot))
            .Where(f => !f.EndsWith("-wal", StringComparison.Ordinal) && !f.EndsWith("-shm", StringComparison.Ordinal) && !f.EndsWith("/lock", StringComparison.Ordinal))
            .Select(f => $"{f} {new FileInfo(f).Length}").Order(StringComparer.Ordinal),
    ];
}
