using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Machines;
using VolumeManager.EndToEnd.Simulation;
using VolumeManager.TestSupport.Postgres;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>The script that a release has for those who change schemas by hand does what `volman migrate` does.</summary>
public sealed class ReleaseSchema
{
    [PostgresFact]
    public async Task The_script_makes_the_schema_that_volman_makes_and_can_be_run_again()
    {
        using var folder = new MachineFolder();
        var script = folder["schema.sql"];
        var project = Path.Combine(ReleaseTools.Tree, "migrations/VolumeManager.Migrations.Postgres");
        (await ReleaseTools.DotnetAsync(project, "tool", "restore")).MustSucceed();
        (await ReleaseTools.DotnetAsync(project, "ef", "migrations", "script", "--idempotent", "--configuration", "Release", "--output", script)).MustSucceed();
        await using var catalog = await SharedCatalog.StartAsync();
        var server = catalog.Server;
        var byHand = await server.CreateDatabaseAsync();

        for (var times = 1; times <= 2; times++)
            (await RunAsync("psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--file", script, byHand)).MustSucceed();

        Assert.Equal(await DumpAsync((await catalog.ReadAsync("SELECT current_database()::text"))!), await DumpAsync(byHand));

        Task<Command> RunAsync(string program, params IEnumerable<string> arguments) => Command.RunAsync(Poll.Patience, PostgresPrograms.PathOf(program),
            ["--host", server.SocketDirectory, "--port", $"{server.Port}", "--username", "postgres", .. arguments]);

        // All but the key that each dump makes up for itself, to keep psql from taking orders out of it.
        async Task<string> DumpAsync(string database) => string.Join('\n', (await RunAsync("pg_dump", "--no-owner", database)).MustSucceed().Output
            .Split('\n').Where(line => !line.StartsWith(@"\restrict", StringComparison.Ordinal) && !line.StartsWith(@"\unrestrict", StringComparison.Ordinal)));
    }
}
