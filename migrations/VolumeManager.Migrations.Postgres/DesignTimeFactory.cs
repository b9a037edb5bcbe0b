using Microsoft.EntityFrameworkCore.Design;
using VolumeManager.Catalog;

namespace VolumeManager.Migrations.Postgres;

/// <summary>Gives <c>dotnet ef</c> a context; the database is only touched by <c>database update</c>.</summary>
internal sealed class DesignTimeFactory : IDesignTimeDbContextFactory<CatalogContext>
{
    /// <param name="args">After <c>--</c>: a connection string; default the environment's <c>VOLMAN_DATABASE</c>, or the local server's database <c>volman</c>.</param>
    public CatalogContext CreateDbContext(string[] args) => new(PostgresSchema.Options(
        args.Length > 0 ? args[0] : Environment.GetEnvironmentVariable("VOLMAN_DATABASE") ?? "Host=localhost;Database=volman"));
}
