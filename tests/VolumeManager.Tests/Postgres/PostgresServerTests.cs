using System.Diagnostics;
using Npgsql;
using VolumeManager.TestSupport.Postgres;
using Xunit.Abstractions;

namespace VolumeManager.Tests.Postgres;

/// <summary>The tests' own PostgreSQL server: what it keeps over stops and crashes, and that it can be frozen, copied and never outlives its owner.</summary>
[Trait("Catalog", "postgres")]
public sealed class PostgresServerTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Committed_rows_survive_a_stop_and_a_crash()
    {
        var clock = Stopwatch.StartNew();
        await using var server = await PostgresServer.StartNewAsync();
        output.WriteLine($"initdb and start: {clock.ElapsedMilliseconds} ms");
        await server.ExecuteAsync("CREATE TABLE t (n int)");
        await server.ExecuteAsync("INSERT INTO t VALUES (1)");
        Assert.Equal("on", await server.ScalarAsync<string>("SHOW fsync"));

        clock.Restart();
        await server.StopAsync();
        output.WriteLine($"stop: {clock.ElapsedMilliseconds} ms");
        Assert.False(server.IsRunning);
        await server.StartAsync();
        await server.ExecuteAsync("INSERT INTO t VALUES (2)");

        var all = server.ProcessIds;
        await server.KillAsync();
        Assert.DoesNotContain(all, ProcessTable.IsAlive);
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => server.ExecuteAsync("SELECT 1"));
        Assert.Contains(server.LogFile, e.Message, StringComparison.Ordinal);
        clock.Restart();
        await server.StartAsync();
        output.WriteLine($"start after a crash: {clock.ElapsedMilliseconds} ms");
        Assert.Equal(3L, await server.ScalarAsync<long>("SELECT sum(n) FROM t"));
        Assert.Contains("not properly shut down", await File.ReadAllTextAsync(server.LogFile), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_frozen_server_lets_queries_time_out_and_a_thawed_one_goes_on()
    {
        await using var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast);
        await using var source = NpgsqlDataSource.Create(server.ConnectionString("postgres", extra: "Timeout=1;Command Timeout=1;Cancellation Timeout=-1"));
        await using var open = await source.OpenConnectionAsync();
        server.Freeze();
        var query = await Assert.ThrowsAsync<NpgsqlException>(() => SelectAsync(open));
        Assert.IsType<TimeoutException>(query.InnerException);
        var connect = await Assert.ThrowsAsync<NpgsqlException>(async () => await source.OpenConnectionAsync());
        Assert.IsType<TimeoutException>(connect.InnerException);
        server.Thaw();
        await using var again = await source.OpenConnectionAsync();
        Assert.Equal(1, await SelectAsync(again));
    }

    [Fact]
    public async Task A_query_that_waited_in_a_frozen_server_ends_after_the_thaw()
    {
        await using var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast);
        await using var source = NpgsqlDataSource.Create(server.ConnectionString("postgres"));
        await using var open = await source.OpenConnectionAsync();
        server.Freeze();
        var query = SelectAsync(open);
        await Task.Delay(200);
        Assert.False(query.IsCompleted);
        server.Thaw();
        Assert.Equal(1, await query);
    }

    [Fact]
    public async Task A_template_in_use_is_copied_by_several_at_once()
    {
        await using var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast);
        var template = await server.CreateDatabaseAsync();
        await server.ExecuteAsync("CREATE TABLE t AS SELECT 7 AS n", template);
        await using var source = NpgsqlDataSource.Create(server.ConnectionString(template));
        await using var user = await source.OpenConnectionAsync();
        var clock = Stopwatch.StartNew();
        var copies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => server.CreateDatabaseAsync(template)));
        output.WriteLine($"a copy of a template: {clock.ElapsedMilliseconds / copies.Length} ms");
        Assert.Equal(copies.Length, copies.Distinct(StringComparer.Ordinal).Count());
        foreach (var copy in copies) Assert.Equal(7, await server.ScalarAsync<int>("SELECT n FROM t", copy));
        await Assert.ThrowsAsync<NpgsqlException>(() => SelectAsync(user));

        clock.Restart();
        await server.DropDatabaseAsync(copies[0]);
        output.WriteLine($"a drop: {clock.ElapsedMilliseconds} ms");
        Assert.Equal(7L, await server.ScalarAsync<long>("SELECT count(*) FROM pg_database WHERE datname LIKE 'test\\_%' AND datname <> '" + template + "'"));
    }

    [Fact]
    public async Task Settings_and_tcp_are_as_asked_for()
    {
        var options = PostgresOptions.Fast with { Tcp = true, MaxConnections = 20, Settings = new Dictionary<string, string> { ["lock_timeout"] = "3s" } };
        await using var server = await PostgresServer.StartNewAsync(options);
        await using var source = NpgsqlDataSource.Create(server.ConnectionString("postgres", extra: "Host=127.0.0.1"));
        await using var command = source.CreateCommand("SELECT concat_ws(' ', inet_server_addr(), current_setting('fsync'), current_setting('max_connections'), current_setting('lock_timeout'))");
        Assert.Equal("127.0.0.1 off 20 3s", await command.ExecuteScalarAsync());
    }

    /// <summary>A busy backend does not ask whether its postmaster lives, and a stopped one cannot: both must go too.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Nothing_of_a_server_outlives_its_killed_owner(bool frozen)
    {
        using var owner = new RunningProgram("owner", new("dotnet", [typeof(ServerOwner).Assembly.Location]));
        await owner.UntilAsync("names its server", () => Task.FromResult(owner.Log.Count == 2), TimeSpan.FromSeconds(60));
        var (sockets, postmaster) = (owner.Log[0], int.Parse(owner.Log[1].Split(' ')[0]));
        await using var source = NpgsqlDataSource.Create(PostgresServer.ConnectionString(sockets, 5432, "postgres"));
        await using var busy = source.CreateCommand("DO 'BEGIN LOOP END LOOP; END'");
        var query = busy.ExecuteNonQueryAsync();
        await Task.Delay(200);
        Assert.False(query.IsCompleted);
        int[] all = [postmaster, .. ProcessTable.ChildrenOf(postmaster)];
        Assert.True(all.Length >= 5, $"postmaster, checkpointer, writers and our backend, but: {all.Length}");
        if (frozen) ServerProcesses.Freeze(postmaster);

        var clock = Stopwatch.StartNew();
        await owner.KillAsync();
        await Poll.HoldsWithinAsync(TimeSpan.FromSeconds(10), () => !all.Any(ProcessTable.IsAlive));
        output.WriteLine($"gone after {clock.ElapsedMilliseconds} ms");
        Assert.DoesNotContain(all, ProcessTable.IsAlive);
        await Assert.ThrowsAsync<NpgsqlException>(() => query);
    }

    static async Task<int> SelectAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("SELECT 1", connection);
        return (int)(await command.ExecuteScalarAsync())!;
    }
}
