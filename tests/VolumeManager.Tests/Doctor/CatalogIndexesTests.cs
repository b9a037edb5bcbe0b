using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;
using VolumeManager.Diagnosis;

namespace VolumeManager.Tests.Doctor;

/// <summary>The doctor's list of indexes is the model's, on both databases.</summary>
[Trait("Catalog", "none")]
public class CatalogIndexesTests
{
    [Fact]
    public void Are_those_of_the_model_for_SQLite() => Check(SqliteCatalog.Options("never-opened.db"));

    [Fact]
    public void Are_those_of_the_model_for_PostgreSQL() => Check(PostgresSchema.Options("Host=never-opened"));

    static void Check(DbContextOptions<CatalogContext> options)
    {
        using var db = new CatalogContext(options);
        var model = db.Database.GenerateCreateScript().Split('\n', StringSplitOptions.TrimEntries)
            .Where(line => line.StartsWith("CREATE INDEX ", StringComparison.Ordinal) || line.StartsWith("CREATE UNIQUE INDEX ", StringComparison.Ordinal))
            .Select(line => Plain(line.TrimEnd(';'))).Order(StringComparer.Ordinal).ToList();
        Assert.NotEmpty(model);
        Assert.Equal(model, CatalogIndexes.All.Select(i => Plain(i.Create(""))).Order(StringComparer.Ordinal));
    }

    // Where a name needs no quotes the one database's script has some, and the other's has none.
    static string Plain(string statement) => statement.Replace("\"", "", StringComparison.Ordinal);
}
