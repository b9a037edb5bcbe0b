using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;

namespace VolumeManager.Tests.Catalog;

/// <summary>Neither database's migrations lag behind the model. What <c>dotnet ef migrations has-pending-model-changes</c> says, without the tool.</summary>
[Trait("Catalog", "none")]
public class PendingModelChangesTests
{
    [Fact]
    public void Of_SQLite() => Check(SqliteCatalog.Options("never-opened.db"));

    [Fact]
    public void Of_PostgreSQL() => Check(PostgresSchema.Options("Host=never-opened"));

    static void Check(DbContextOptions<CatalogContext> options)
    {
        using var db = new CatalogContext(options);
        Assert.NotEmpty(db.Database.GetMigrations());
        Assert.False(db.Database.HasPendingModelChanges(), "the model has changed: add a migration with dotnet ef in the folder of each of migrations/");
    }
}
