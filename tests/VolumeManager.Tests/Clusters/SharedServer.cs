using VolumeManager.Catalog;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Clusters;

/// <summary>The one PostgreSQL of this test process, and its databases with the catalog's schema. It ends with the process.</summary>
internal static class SharedServer
{
    static readonly Lazy<Task<(PostgresServer Server, DatabasePool Pool)>> s_server = new(StartAsync);

    internal static async Task<PostgresServer> GetAsync() => (await s_server.Value).Server;

    /// <summary>Lends a database with the catalog's schema and no volumes.</summary>
    internal static async Task<string> TakeDatabaseAsync() => await (await s_server.Value).Pool.TakeAsync();

    internal static async Task ReturnDatabaseAsync(string name) => await (await s_server.Value).Pool.ReturnAsync(name);

    static async Task<(PostgresServer, DatabasePool)> StartAsync()
    {
        var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast with { MaxConnections = 400 });
        var template = await server.CreateDatabaseAsync();
        await using var database = new PostgresDatabase(server.ConnectionString(template, extra: "Pooling=false"), "test");
        await database.RunAsync(connection => PostgresSchema.MigrateAsync(connection, dryRun: false, CancellationToken.None), CancellationToken.None);
        return (server, await DatabasePool.OpenAsync(server, template, "catalog"));
    }
}
