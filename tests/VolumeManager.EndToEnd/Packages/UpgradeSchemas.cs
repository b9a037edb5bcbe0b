using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Daemons;
using VolumeManager.EndToEnd.Machines;
using VolumeManager.EndToEnd.Simulation;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>
/// Released schemas only grow: daemons of the release before go on with the new one, so all that they read is still there, and what they do not write is not asked of them.
/// Compared are real databases that the old program made and the new one migrated.
/// </summary>
[Collection(ReleaseBefore.Collection)]
public sealed class UpgradeSchemas(ReleaseBefore release)
{
    // A line for each column and each unique index: its place, what it is, and whether an INSERT may leave it out.
    const string PostgresColumns = """
        SELECT string_agg(line, chr(10) ORDER BY line) FROM (
            SELECT table_name || '.' || column_name || ' ' || data_type || CASE WHEN is_nullable = 'YES' OR column_default IS NOT NULL OR is_identity = 'YES' THEN ' optional' ELSE '' END AS line
            FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT tablename || ' ' || indexname || ' unique' FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE%') AS lines
        """;

    const string SqliteColumns = """
        SELECT t.name || '.' || c.name || ' ' || c.type || CASE WHEN c."notnull" = 0 OR c.dflt_value IS NOT NULL THEN ' optional' ELSE '' END
        FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'
        UNION ALL SELECT t.name || ' ' || i.name || ' unique' FROM sqlite_schema t JOIN pragma_index_list(t.name) i WHERE t.type = 'table' AND i."unique" AND t.name NOT LIKE 'sqlite%'
        ORDER BY 1
        """;

    [PostgresFact]
    public async Task The_shared_schema_has_only_grown()
    {
        await using var catalog = await SharedCatalog.StartAsync(await release.ProgramAsync());
        var before = await LinesAsync(catalog);
        await catalog.VolmanAsync("migrate");
        HasOnlyGrown(before, await LinesAsync(catalog));
    }

    [Fact]
    public async Task The_schema_of_a_single_host_has_only_grown()
    {
        using var folder = new MachineFolder();
        await MigrateAsync(await release.ProgramAsync());
        var before = await LinesAsync();
        await MigrateAsync(DaemonBinary.Path);
        HasOnlyGrown(before, await LinesAsync());

        async Task MigrateAsync(string program) => (await ReleaseTools.VolmanAsync(program, "migrate", "--state-dir", folder["state"])).MustSucceed();

        async Task<string[]> LinesAsync() => (await Command.RunAsync(Poll.Patience, "sqlite3", folder["state/catalog.db"], SqliteColumns)).MustSucceed().Output.Split('\n');
    }

    static async Task<string[]> LinesAsync(SharedCatalog catalog) => (await catalog.ReadAsync(PostgresColumns))!.Split('\n');

    static void HasOnlyGrown(string[] before, string[] after)
    {
        Assert.Contains(before, line => line.StartsWith("volumes.name ", StringComparison.Ordinal));
        Assert.Empty(before.Except(after, StringComparer.Ordinal));
        var tables = before.Select(TableOf).ToHashSet(StringComparer.Ordinal);
        // A new column of a table that was there is not given by an old daemon, and a new unique index it would not know.
        Assert.DoesNotContain(after.Except(before, StringComparer.Ordinal), line => tables.Contains(TableOf(line)) && !line.EndsWith(" optional", StringComparison.Ordinal));
    }

    static string TableOf(string line) => line.Split('.', ' ')[0];
}
