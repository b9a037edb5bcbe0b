using Npgsql;
using VolumeManager.Catalog;

namespace VolumeManager.Tests.Clusters;

/// <summary>What volman sets where the connection string leaves it open, as the server sees it; and that what was written wins.</summary>
[Trait("Catalog", "postgres")]
public sealed class ConnectionSettingsTests : IAsyncLifetime
{
    string _database = "";

    public async Task InitializeAsync() => _database = await SharedServer.TakeDatabaseAsync();

    public Task DisposeAsync() => SharedServer.ReturnDatabaseAsync(_database);

    async Task<PostgresDatabase> OpenAsync(string extra = "", string hostName = "h") =>
        new((await SharedServer.GetAsync()).ConnectionString(_database, extra: extra), hostName);

    static async Task<string> AskAsync(PostgresDatabase database, FormattableString query)
    {
        var answer = "";
        await database.ReadAsync(query, row => answer = row.GetString(0), CancellationToken.None);
        return answer;
    }

    [Fact]
    public async Task Every_session_of_a_daemon_names_its_host()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        foreach (var host in cluster.Hosts) Assert.Equal("", await host.Engine.CreateAsync("v"));
        Assert.Equal(
            "volman@host-0, volman@host-1",
            await cluster.ScalarAsync<string>("SELECT string_agg(DISTINCT application_name, ', ' ORDER BY application_name) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"));
    }

    [Fact]
    public async Task A_long_host_name_is_cut_to_what_the_server_can_show()
    {
        await using var database = await OpenAsync(hostName: new string('x', 255));
        Assert.Equal("volman@" + new string('x', 56), await AskAsync(database, $"SELECT current_setting('application_name')"));
    }

    [Fact]
    public async Task A_session_waits_for_locks_runs_statements_and_idles_in_a_transaction_for_bounded_times()
    {
        await using var database = await OpenAsync();
        Assert.Equal("4s", await AskAsync(database, $"SHOW lock_timeout"));
        Assert.Equal("10s", await AskAsync(database, $"SHOW statement_timeout"));
        Assert.Equal("5s", await AskAsync(database, $"SHOW idle_in_transaction_session_timeout"));
    }

    [Fact]
    public async Task An_answer_is_waited_for_five_seconds()
    {
        await using var database = await OpenAsync();
        await database.ReadAsync($"SELECT pg_sleep(2)", _ => { }, CancellationToken.None);
        await Assert.ThrowsAsync<CatalogAwayException>(() => database.ReadAsync($"SELECT pg_sleep(9)", _ => { }, CancellationToken.None));
    }

    [Theory]
    [InlineData("", 8)]
    [InlineData("Maximum Pool Size=3", 3)]
    [InlineData("MaxPoolSize=2", 2)]
    public async Task Many_calls_at_once_share_the_connections_of_a_small_pool(string extra, long connections)
    {
        await using var database = await OpenAsync(extra, "pooled");
        var most = 0L;
        await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => database.ReadAsync(
            $"SELECT count(*), pg_sleep(0.02) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'volman@pooled'",
            row => InterlockedMax(ref most, row.GetInt64(0)), CancellationToken.None)));
        // Of two one is for changes.
        Assert.InRange(most, connections > 2 ? 2 : 1, connections);

        static void InterlockedMax(ref long value, long atLeast)
        {
            for (var known = Interlocked.Read(ref value); known < atLeast; known = Interlocked.Read(ref value)) Interlocked.CompareExchange(ref value, atLeast, known);
        }
    }

    [Fact]
    public async Task A_daemon_that_is_asked_by_many_at_once_has_no_more_than_its_pool()
    {
        await using var cluster = await TestCluster.StartNewAsync(1);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("v"));
        var most = 0L;
        var asked = Task.WhenAll(Enumerable.Range(0, 32).Select(async i =>
        {
            Assert.Equal("", await cluster[0].Engine.CreateAsync($"v{i}"));
            Assert.Equal("", await cluster[0].Engine.MountAsync($"v{i}", "x"));
            Assert.Equal("", (await cluster[0].Engine.GetAsync($"v{i}")).Err);
            Assert.Equal("", await cluster[0].Engine.UnmountAsync($"v{i}", "x"));
        }));
        while (!asked.IsCompleted)
        {
            most = Math.Max(most, await cluster.ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'volman@host-0'"));
        }

        await asked;
        Assert.InRange(most, 1, 8);
    }

    [Theory]
    [InlineData("Application Name=mine", "application_name", "mine")]
    [InlineData("ApplicationName=mine", "application_name", "mine")]
    [InlineData("application name=mine", "application_name", "mine")]
    [InlineData("Options=-c lock_timeout=1234", "lock_timeout", "1234ms")]
    [InlineData("Options=-c lock_timeout=1234", "statement_timeout", "0")]
    public async Task What_the_connection_string_says_wins_however_its_key_is_spelt(string written, string setting, string expected)
    {
        await using var database = await OpenAsync(written);
        Assert.Equal(expected, await AskAsync(database, $"SELECT current_setting({setting})"));
    }

    [Theory]
    [InlineData("Command Timeout=1")]
    [InlineData("CommandTimeout=1")]
    public async Task A_shorter_time_for_answers_wins_too(string written)
    {
        await using var database = await OpenAsync(written);
        await Assert.ThrowsAsync<CatalogAwayException>(() => database.ReadAsync($"SELECT pg_sleep(3)", _ => { }, CancellationToken.None));
    }

    [Fact]
    public async Task A_migration_waits_for_another_and_for_its_own_statements_longer_than_a_request_would()
    {
        var server = await SharedServer.GetAsync();
        await using var database = await OpenAsync("Command Timeout=2;Options=-c lock_timeout=2000 -c statement_timeout=2000");
        await using var other = new NpgsqlConnection(server.ConnectionString(_database, extra: "Pooling=false"));
        await other.OpenAsync();
        await using (var take = new NpgsqlCommand("SELECT pg_advisory_lock(x'766F6C6D616E'::bigint)", other)) await take.ExecuteNonQueryAsync();
        var migration = database.RunAsync(connection => PostgresSchema.MigrateAsync(connection, dryRun: false, CancellationToken.None), CancellationToken.None);
        Assert.NotSame(migration, await Task.WhenAny(migration, Task.Delay(3000)));
        await other.CloseAsync();
        Assert.Empty(await migration);
        Assert.Equal("0", await database.RunAsync(connection => ShowAsync(connection, "statement_timeout"), CancellationToken.None));
        // A request over the same pool afterwards has its bounds again.
        Assert.Equal("2s", await AskAsync(database, $"SHOW statement_timeout"));

        static async Task<string> ShowAsync(NpgsqlConnection connection, string setting)
        {
            await using var show = new NpgsqlCommand("SHOW " + setting, connection);
            return (string)(await show.ExecuteScalarAsync())!;
        }
    }
}
