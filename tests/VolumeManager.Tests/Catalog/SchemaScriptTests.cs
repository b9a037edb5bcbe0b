using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using VolumeManager.Catalog;

namespace VolumeManager.Tests.Catalog;

/// <summary>A new catalog is made by a script, an older one is brought up to date by EF Core. Both have to give the same.</summary>
[Trait("Catalog", "none")]
public sealed class SchemaScriptTests
{
    [Fact]
    public void The_script_of_SQLite_is_what_the_migrations_give() => Check(SqliteCatalog.Options("never-opened.db"), SqliteCatalog.MigrationsAssembly);

    [Fact]
    public void The_script_of_PostgreSQL_is_what_the_migrations_give() => Check(PostgresSchema.Options("Host=never-opened"), PostgresSchema.MigrationsAssembly);

    [Theory]
    [InlineData(null)]
    [InlineData("Initial")]
    public async Task A_file_made_by_the_script_is_one_made_by_EF_Core(string? older)
    {
        using var folder = new ScratchFolder();
        var (byScript, byCore) = (folder.Of("script.db"), folder.Of("core.db"));
        using (var made = SqliteCatalog.Open(byScript)) Assert.NotEmpty(await SqliteCatalog.MigrateAsync(made, byScript, migrate: true));
        await using (var context = new CatalogContext(SqliteCatalog.Options(byCore))) await context.GetService<IMigrator>().MigrateAsync(older);
        using (var upgraded = SqliteCatalog.Open(byCore)) Assert.Equal(older is null, (await SqliteCatalog.MigrateAsync(upgraded, byCore, migrate: true)).Count == 0);
        Assert.Equal(await ContentAsync(byCore), await ContentAsync(byScript));

        // All but EF Core's lock, which it leaves behind empty.
        static async Task<List<string>> ContentAsync(string path)
        {
            var content = new List<string>();
            using var db = SqliteCatalog.Open(path);
            await db.ReadAsync($"SELECT type, name, sql FROM sqlite_master WHERE tbl_name <> '__EFMigrationsLock' ORDER BY type, name", row => content.Add($"{row[0]} {row[1]} {row[2]}"));
            await db.ReadAsync($"SELECT MigrationId, ProductVersion FROM __EFMigrationsHistory ORDER BY MigrationId", row => content.Add($"{row[0]} {row[1]}"));
            await db.ReadAsync($"SELECT * FROM catalog", row => content.Add(string.Join(' ', Enumerable.Range(0, row.FieldCount).Select(column => row[column]))));
            return content;
        }
    }

    static void Check(DbContextOptions<CatalogContext> options, string assembly)
    {
        using var db = new CatalogContext(options);
        var script = db.GetService<IMigrator>().GenerateScript(options: MigrationsSqlGenerationOptions.NoTransactions);
        Assert.True(script.TrimEnd() == SchemaVersion.Script(assembly).TrimEnd(),
            $"Schema.sql lags behind the migrations: run `dotnet ef migrations script --no-transactions --output Migrations/Schema.sql` in migrations/{assembly}");
    }
}
