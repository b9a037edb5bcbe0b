using System.Diagnostics;
using System.Net.Sockets;
using Npgsql;
using VolumeManager.TestSupport.Postgres;
using Xunit.Abstractions;

namespace VolumeManager.Tests.Postgres;

/// <summary>A network that breaks, freezes and is slow, and what Npgsql makes of it.</summary>
[Trait("Catalog", "postgres")]
public sealed class PostgresProxyTests(ITestOutputHelper output) : IAsyncLifetime
{
    PostgresServer _server = null!;
    PostgresProxy _proxy = null!;
    NpgsqlDataSource _source = null!;

    public async Task InitializeAsync()
    {
        _server = await PostgresServer.StartNewAsync(PostgresOptions.Fast);
        _proxy = await PostgresProxy.StartAsync(_server.Socket);
        _source = NpgsqlDataSource.Create(PostgresServer.ConnectionString(_proxy.SocketDirectory, _proxy.Port, "postgres", extra: "Timeout=1;Command Timeout=1;Cancellation Timeout=-1"));
    }

    public async Task DisposeAsync()
    {
        await _source.DisposeAsync();
        await _proxy.DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_command_and_a_batch_are_one_round_trip_each()
    {
        await using var connection = await _source.OpenConnectionAsync();
        output.WriteLine($"opening a connection: {_proxy.RoundTrips} round trips");
        for (var i = 0; i < 20; i++)
        {
            _proxy.ResetCounters();
            Assert.Equal(1, await SelectAsync(connection));
            Assert.Equal(1, _proxy.RoundTrips);
        }

        _proxy.ResetCounters();
        await using (var batch = new NpgsqlBatch(connection) { BatchCommands = { new("SELECT 1"), new("SELECT 2"), new("SELECT 3") } })
        {
            await using var reader = await batch.ExecuteReaderAsync();
            while (await reader.NextResultAsync())
            {
            }
        }

        Assert.Equal(1, _proxy.RoundTrips);

        _proxy.ResetCounters();
        await using var transaction = await connection.BeginTransactionAsync();
        await SelectAsync(connection);
        await transaction.CommitAsync();
        output.WriteLine($"BEGIN, SELECT, COMMIT: {_proxy.RoundTrips} round trips");
        Assert.Equal(2, _proxy.RoundTrips);
    }

    [Fact]
    public async Task A_cut_ends_connections_and_refuses_new_ones_until_it_is_healed()
    {
        await using var connection = await _source.OpenConnectionAsync();
        _proxy.Cut();
        var query = await Assert.ThrowsAsync<NpgsqlException>(() => SelectAsync(connection));
        output.WriteLine($"query: {query.InnerException}");
        Assert.IsAssignableFrom<IOException>(query.InnerException);
        var connect = await Assert.ThrowsAsync<NpgsqlException>(async () => await _source.OpenConnectionAsync());
        Assert.IsType<SocketException>(connect.InnerException);
        _proxy.Heal();
        await using var again = await _source.OpenConnectionAsync();
        Assert.Equal(1, await SelectAsync(again));
    }

    [Fact]
    public async Task In_silence_queries_and_connects_time_out_and_it_is_healed()
    {
        await using var connection = await _source.OpenConnectionAsync();
        _proxy.Silence();
        Assert.IsType<TimeoutException>((await Assert.ThrowsAsync<NpgsqlException>(() => SelectAsync(connection))).InnerException);
        Assert.IsType<TimeoutException>((await Assert.ThrowsAsync<NpgsqlException>(async () => await _source.OpenConnectionAsync())).InnerException);
        _proxy.Heal();
        await using var again = await _source.OpenConnectionAsync();
        _proxy.Silence();
        var waiting = SelectAsync(again);
        await Task.Delay(200);
        Assert.False(waiting.IsCompleted);
        _proxy.Heal();
        Assert.Equal(1, await waiting);
    }

    [Fact]
    public async Task A_delay_is_added_in_each_direction()
    {
        await using var connection = await _source.OpenConnectionAsync();
        _proxy.Delay = TimeSpan.FromMilliseconds(100);
        var clock = Stopwatch.StartNew();
        await SelectAsync(connection);
        Assert.True(clock.ElapsedMilliseconds >= 195, $"{clock.ElapsedMilliseconds} ms");
    }

    [Fact]
    public async Task Ten_thousand_rows_come_through_whole()
    {
        await using var command = _source.CreateCommand("SELECT count(*), sum(length(t)) FROM unnest(@texts) AS t");
        command.Parameters.AddWithValue("texts", Enumerable.Range(0, 10_000).Select(i => new string('x', 100)).ToArray());
        await using var reader = await command.ExecuteReaderAsync();
        Assert.True(await reader.ReadAsync());
        Assert.Equal((10_000, 1_000_000), (reader.GetInt64(0), reader.GetInt64(1)));
    }

    static async Task<int> SelectAsync(NpgsqlConnection connection)
    {
        await using var command = new NpgsqlCommand("SELECT 1", connection);
        return (int)(await command.ExecuteScalarAsync())!;
    }
}
