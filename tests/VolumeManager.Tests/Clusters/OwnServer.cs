using VolumeManager.Catalog;
using VolumeManager.Tests.Hosts;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Clusters;

/// <summary>Tests of which each has a PostgreSQL server of its own, and hosts that use it.</summary>
public abstract class OwnServer : IAsyncLifetime, IAsyncDisposable
{
    readonly ScratchFolder _data = new();
    readonly List<TestHost> _hosts = [];

    private protected PostgresServer Server { get; private set; } = null!;

    private protected string Database { get; private set; } = "";

    public Task InitializeAsync() => Task.CompletedTask;

    private protected async Task StartServerAsync(PostgresOptions? options = null)
    {
        Server = await PostgresServer.StartNewAsync(options);
        Database = await Server.CreateDatabaseAsync();
        await using var database = new PostgresDatabase(Server.ConnectionString(Database, extra: "Pooling=false"), "test");
        await database.RunAsync(connection => PostgresSchema.MigrateAsync(connection, dryRun: false, CancellationToken.None), CancellationToken.None);
    }

    private protected async Task<TestHost> AddHostAsync(string? connectionString = null)
    {
        var host = new TestHost($"host-{_hosts.Count}", connectionString ?? Server.ConnectionString(Database), _data.FullPath, Server.ConnectionString(Database, extra: "Pooling=false"));
        // Here a server comes back in time, be the machine as busy as it may.
        host.Settings = host.Settings with { Timings = host.Settings.Timings with { RestartWait = Timings.Real.RestartWait } };
        _hosts.Add(host);
        await host.StartAsync();
        return host;
    }

    private protected Task BackAsync(TestHost host, DateTime since) => Poll.UntilAsync(
        $"{host.Settings.HostName} is back", () => Server.ScalarAsync<bool>($"SELECT last_seen_at > '{since:O}' FROM hosts WHERE name = '{host.Settings.HostName}'", Database));

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts) await host.DisposeAsync();
        await Server.DisposeAsync();
        _data.Dispose();
        GC.SuppressFinalize(this);
    }
}
