using Microsoft.EntityFrameworkCore.Design;
using VolumeManager.Catalog;

namespace VolumeManager.Migrations.Sqlite;

/// <summary>Gives <c>dotnet ef</c> a context; the file is only touched by <c>database update</c>.</summary>
internal sealed class DesignTimeFactory : IDesignTimeDbContextFactory<CatalogContext>
{
    /// <param name="args">After <c>--</c>: the path of a catalog file; default <c>catalog.db</c> in this folder.</param>
    public CatalogContext CreateDbContext(string[] args) => new(SqliteCatalog.Options(args.Length > 0 ? args[0] : "catalog.db"));
}
