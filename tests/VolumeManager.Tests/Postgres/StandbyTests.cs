using System.Diagnostics;
using Npgsql;
using VolumeManager.TestSupport.Postgres;
using Xunit.Abstractions;

namespace VolumeManager.Tests.Postgres;

/// <summary>A primary and a standby in one connection string: who reads, who writes, and who does after the primary's end.</summary>
[Trait("Catalog", "postgres")]
public sealed class StandbyTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_promoted_standby_has_all_rows_and_is_found_by_the_same_connection_string()
    {
        await using var primary = await PostgresServer.StartNewAsync(PostgresOptions.Fast);
        await primary.ExecuteAsync("CREATE TABLE t AS SELECT 1 AS n");
        var clock = Stopwatch.StartNew();
        await using var standby = await PostgresServer.StartStandbyAsync(primary);
        output.WriteLine($"a standby: {clock.ElapsedMilliseconds} ms");
        await primary.ExecuteAsync("INSERT INTO t VALUES (2)");
        await standby.CatchUpAsync(primary);
        Assert.Equal(3L, await standby.ScalarAsync<long>("SELECT sum(n) FROM t"));

        // The standby first: it is asked and passed over. Without rechecks Npgsql takes it for one up to 10 s after its promotion.
        var both = PostgresServer.ConnectionString(
            $"{standby.SocketDirectory},{primary.SocketDirectory}", 5432, "postgres", extra: "Target Session Attributes=primary;Host Recheck Seconds=0;Timeout=2");
        await using var source = new NpgsqlDataSourceBuilder(both).BuildMultiHost();
        Assert.Equal(primary.SocketDirectory, await SocketOfAsync(source));
        await using (var reading = await source.OpenConnectionAsync(TargetSessionAttributes.Standby))
        {
            await using var command = new NpgsqlCommand("SHOW unix_socket_directories", reading);
            Assert.Equal(standby.SocketDirectory, await command.ExecuteScalarAsync());
        }

        await primary.KillAsync();
        clock.Restart();
        await standby.PromoteAsync();
        output.WriteLine($"a promotion: {clock.ElapsedMilliseconds} ms");
        // The pool holds a connection to the dead primary: the recheck, a round trip for each opening, finds that out before its next user does.
        Assert.Equal(standby.SocketDirectory, await SocketOfAsync(source));
        Assert.Equal(1, await standby.ExecuteAsync("INSERT INTO t VALUES (3)"));
    }

    [Fact]
    public async Task Ports_may_differ_within_a_list_of_hosts()
    {
        await using var primary = await PostgresServer.StartNewAsync(PostgresOptions.Fast with { Tcp = true });
        await using var standby = await PostgresServer.StartStandbyAsync(primary);
        Assert.NotEqual(primary.Port, standby.Port);
        await using var source = new NpgsqlDataSourceBuilder(
            PostgresServer.ConnectionString($"{standby.Host},{primary.Host}", 1, "postgres", extra: "Target Session Attributes=primary")).BuildMultiHost();
        Assert.Equal(primary.SocketDirectory, await SocketOfAsync(source));
    }

    static async Task<string?> SocketOfAsync(NpgsqlDataSource source)
    {
        await using var command = source.CreateCommand("SHOW unix_socket_directories");
        return (string?)await command.ExecuteScalarAsync();
    }
}
