using VolumeManager.Catalog;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.Tests.Clusters;

/// <summary>The one PostgreSQL of this test process, and a database that is migrated once and copied for each who needs one. It ends with the process.</summary>
internal static class SharedServer
{
    static readonly Lazy<Task<(PostgresServer Server, string Template)>> s_server = new(StartAsync);

    internal static async Task<PostgresServer> GetAsync() => (await s_server.Value).Server;

    /// <summary>A new database with the catalog's schema.</summary>
    internal static async Task<string> CreateDatabaseAsync()
    {
        var (server, template) = await s_server.Value;
        return await server.CreateDatabaseAsync(template);
    }

    static async Task<(PostgresServer, string)> StartAsync()
    {
        var server = await PostgresServer.StartNewAsync(PostgresOptions.Fast with { MaxConnections = 400 });
        var template = await server.CreateDatabaseAsync();
        await using var database = new PostgresDatabase(server.ConnectionString(template, extra: "Pooling=false"), "test");
        await database.RunAsync(connection => PostgresSchema.MigrateAsync(connection, dryRun: false, CancellationToken.None), CancellationToken.None);
        return (server, template);
    }
}
