using System.Globalization;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Doctor;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Catalog;

/// <summary>
/// Somebody has the daemons' role, and writes what it likes into every column of every table. No row leads a daemon out of its directories, and none keeps it from serving the
/// volumes whose rows are valid.
/// </summary>
public sealed class HostileRowTests : IAsyncLifetime, IAsyncDisposable
{
    static readonly string[] s_texts =
    [
        "", ".", "..", "../../victim", "../victim", "/etc", "good/../../victim", ".trash", "a//b", "a\nb", "\u001b[2J", "\u202etxt", "bogus", "-o,server=evil", new('x', 5000),
    ];

    static readonly string[] s_times = ["9999-12-31 23:59:59+00", "0001-01-01 00:00:00+00", "1970-01-01 00:00:00+00"];
    static readonly long[] s_numbers = [long.MinValue, -1, 0, long.MaxValue];

    readonly ScratchFolder _outside = new();

    TestHost Host { get; } = new();

    /// <summary>The volumes whose rows were changed, and what was written into which column.</summary>
    List<(string Volume, string Column, string Value)> Planted { get; } = [];

    public async Task InitializeAsync()
    {
        // Beside the data root, where ".." leads.
        Host.Settings = Host.Settings with
        {
            DataRoot = _outside.Of("roots/data"),
            ReconcileInterval = TimeSpan.FromMilliseconds(200),
            UsageInterval = TimeSpan.FromMilliseconds(200),
            TrashRetention = TimeSpan.Zero,
        };
        Directory.CreateDirectory(_outside.Of("victim/folder"));
        await File.WriteAllTextAsync(_outside.Of("victim/folder/file"), "precious");
        Directory.CreateDirectory(_outside.Of("roots/victim"));
        await File.WriteAllTextAsync(_outside.Of("roots/victim/file"), "precious");
        await Host.StartAsync();
        await Host.MakeAsync("good");
        if (TestHost.IsGlobal) await DropConstraintsAsync();
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        await Host.DisposeAsync();
        _outside.Dispose();
    }

    [Fact]
    public async Task Whatever_a_column_of_a_volume_holds_others_are_served_and_nothing_outside_is_touched()
    {
        foreach (var (column, values) in ColumnsOf("volumes").Where(c => c.Column is not ("id" or "revision")).Select(c => (c.Column, ValuesFor(c.Type))))
        {
            foreach (var value in values) await PlantAsync(column, value);
        }

        await IsHarmlessAsync();
        var found = (await Host.DiagnoseAsync()).Where(f => f.Code == "row-invalid").ToList();
        // These are names of directories like any other.
        string[] allowed = ["'bogus'", "'-o,server=evil'", "'\u202etxt'"];
        foreach (var (volume, column, value) in Planted.Where(p => p.Column is "access" or "on_remove" || (p.Column == "directory" && !allowed.Contains(p.Value))))
            Assert.True(found.Exists(f => f.Subject.Contains(volume, StringComparison.Ordinal)), $"nobody is told that {column} of {volume} is {value}: {string.Join('\n', found)}");
    }

    [Theory]
    [InlineData("state = 'removing', on_remove = 'delete'")]
    [InlineData("state = 'removing', on_remove = 'trash'")]
    [InlineData("state = 'removing', on_remove = 'retain'")]
    [InlineData("state = 'restoring'")]
    [InlineData("state = 'trashed', on_remove = 'delete'")]
    [InlineData("state = 'purging'")]
    [InlineData("state = 'gone'")]
    [InlineData("state = 'ready', provisioned_at = NULL")]
    [InlineData("state = 'ready', adopted = TRUE")]
    public async Task A_row_that_leads_outside_deletes_moves_and_mounts_nothing(string state)
    {
        foreach (var directory in (string[])["../victim", "../../victim", "good/../../victim", "..", ".", "", ".trash", "good/..", "/"])
        {
            var name = $"bad-{Planted.Count}";
            await Host.MakeAsync(name);
            await EditAsync($"UPDATE volumes SET directory = '{directory}', removed_at = '2026-01-01 00:00:00', purge_after = '2026-01-01 00:00:00', {state} WHERE name = '{name}'");
            Planted.Add((name, "directory", directory));
        }

        await IsHarmlessAsync();
        Assert.All(Planted, p => Assert.True(File.Exists(Host.DataOf(p.Volume) + "/f"), p.Value));
    }

    [Fact]
    public async Task Whatever_the_other_tables_hold_volumes_are_served()
    {
        string[] plants =
        [
            .. s_texts.Select((text, i) => $"INSERT INTO volume_options (volume_id, key, value) SELECT id, 'nfsopts', {Literal(text + "?")} FROM volumes WHERE name = 'bad-{i}'"),
            .. s_texts.Select((text, i) => $"INSERT INTO volume_options (volume_id, key, value) SELECT id, {Literal(text + "?")}, 'x' FROM volumes WHERE name = 'bad-{i}'"),
            .. s_texts.Select((text, i) => $"INSERT INTO volume_labels (volume_id, key, value) SELECT id, {Literal(text + "?")}, {Literal(text)} FROM volumes WHERE name = 'bad-{i}'"),
            .. s_texts.Select((text, i) => $"""
                INSERT INTO hosts (id, name, address, boot_id, version, engine_generation, lease_expires_at, last_seen_at, state)
                VALUES ('{Guid.NewGuid()}', {Literal($"{i}{text}")}, {Literal(text)}, {Literal(text)}, {Literal(text)}, {s_numbers[i % 4]}, '{s_times[i % 3]}', '{s_times[i % 3]}', {Literal(i == 0 ? "live" : text)})
                """),
            .. s_texts.Select((text, i) => $"""
                INSERT INTO mounts (volume_id, host_id, caller_id, count, boot_id, engine_generation, mounted_at, epoch)
                SELECT v.id, h.id, {Literal(text)}, {(int)Math.Clamp(s_numbers[i % 4], int.MinValue, int.MaxValue)}, {Literal(text)}, {s_numbers[i % 4]}, '{s_times[i % 3]}', {s_numbers[i % 4]}
                FROM volumes v, hosts h WHERE v.name = 'bad-{i}' AND h.name LIKE '{i}%' LIMIT 1
                """),
            .. s_texts.Select((text, i) => $"""
                INSERT INTO events (operation, at, host, volume_name, kind, caller_id, error, detail, mounted_at, actor)
                VALUES ('{Guid.NewGuid()}', '{s_times[i % 3]}', {Literal(text)}, {Literal(text)}, {Literal(text)}, {Literal(text)}, {Literal(text)}, {Literal(text)}, '{s_times[i % 3]}', {Literal(text)})
                """),
            .. s_texts.Select((text, i) => $"""
                INSERT INTO access_tokens (name, hash, role, created_at, created_by, expires_at) VALUES ({Literal(text)}, {Literal($"{i}{text}")}, {Literal(text)}, '{s_times[i % 3]}', {Literal(text)}, '{s_times[i % 3]}')
                """),
        ];
        for (var i = 0; i < s_texts.Length; i++)
        {
            await Host.MakeAsync($"bad-{i}");
            Planted.Add(($"bad-{i}", "", ""));
        }

        foreach (var plant in plants) await EditAsync(plant);
        // Of a host that was not heard of nobody knows what it has mounted, so nothing is purged before it is evicted.
        await IsHarmlessAsync(purges: !TestHost.IsGlobal);
    }

    /// <summary>Calls everything, lets every background pass come, restarts the daemon, and looks at what must be as it was.</summary>
    async Task IsHarmlessAsync(bool purges = true)
    {
        for (var start = 1; start <= 2; start++)
        {
            // One catalog is read at a start alone, the other one is heard of.
            await Host.RestartAsync();
            foreach (var some in Planted.Chunk(8)) await Task.WhenAll(some.Select(p => CallAsync(p.Volume)));
            Assert.Equal("data of good", await Host.ReadAsync("good"));
            await Host.MakeAsync($"new-{start}");
            Assert.Equal("", await Host.Engine.RemoveAsync($"new-{start}"));
            if (purges) await Poll.UntilAsync("the removed volume is purged", () => !Directory.EnumerateDirectories(Path.Combine(Host.Settings.DataRoot, ".trash"), $"new-{start}.*").Any());
            await using (var db = Host.OpenCatalog())
            {
                var before = await db.Database.SqlQuery<DateTime?>($"SELECT sampled_at AS \"Value\" FROM volumes WHERE name = 'good'").SingleAsync();
                await Poll.UntilAsync("the good volume is measured", async () => await db.Database.SqlQuery<DateTime?>($"SELECT sampled_at AS \"Value\" FROM volumes WHERE name = 'good'").SingleAsync() != before);
            }

            Assert.DoesNotContain(Host.KernelMounts(), name => name != "good" && !Planted.Exists(p => p.Volume == name));
        }

        Assert.Equal("precious", await File.ReadAllTextAsync(_outside.Of("victim/folder/file")));
        Assert.Equal("precious", await File.ReadAllTextAsync(_outside.Of("roots/victim/file")));
        Assert.Equal(["folder"], Directory.EnumerateFileSystemEntries(_outside.Of("victim")).Select(Path.GetFileName));
        Assert.Equal(["data", "victim"], Directory.EnumerateFileSystemEntries(_outside.Of("roots")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal("data of good", await Host.ReadAsync("good"));
    }

    /// <summary>An engine's calls. They may be refused; what is mounted is the volume's own directory, and is let go of again.</summary>
    async Task CallAsync(string volume)
    {
        await Host.Engine.GetAsync(volume);
        var refusal = await Host.Engine.MountAsync(volume, "x");
        if (refusal.Length == 0) Assert.True(File.Exists(Host.TargetOf(volume) + "/f") || !Directory.EnumerateFileSystemEntries(Host.TargetOf(volume)).Any(), $"{volume} has somebody else's files");
        Assert.Equal("", await Host.Engine.UnmountAsync(volume, "x"));
        Assert.DoesNotContain(volume, Host.KernelMounts());
    }

    async Task PlantAsync(string column, string value)
    {
        var name = $"bad-{Planted.Count}";
        await Host.MakeAsync(name);
        await EditAsync($"UPDATE volumes SET {column} = {value} WHERE name = '{name}'");
        Planted.Add((name, column, value));
    }

    /// <summary>Writes rows, and lets the hosts of a cluster hear of them.</summary>
    async Task EditAsync(string sql)
    {
        await using var db = Host.OpenCatalog();
        await db.Database.ExecuteSqlRawAsync(sql.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal));
        await db.Database.ExecuteSqlRawAsync("UPDATE catalog SET revision = revision + 1");
        await db.Database.ExecuteSqlRawAsync("UPDATE volumes SET revision = (SELECT revision FROM catalog) WHERE name <> 'good'");
    }

    IEnumerable<(string Column, Type Type)> ColumnsOf(string table)
    {
        using var db = Host.OpenCatalog();
        return [.. db.Model.GetEntityTypes().Single(e => e.GetTableName() == table).GetProperties().Select(p => (p.GetColumnName(), ColumnType(p)))];
    }

    static Type ColumnType(Microsoft.EntityFrameworkCore.Metadata.IProperty property) =>
        property.GetTypeMapping().Converter?.ProviderClrType ?? Nullable.GetUnderlyingType(property.ClrType) ?? property.ClrType;

    static IEnumerable<string> ValuesFor(Type type) =>
        type == typeof(string) ? s_texts.Select(Literal)
        : type == typeof(long) ? s_numbers.Select(n => n == long.MinValue ? "-9223372036854775807" : n.ToString(CultureInfo.InvariantCulture))
        : type == typeof(int) ? [int.MinValue.ToString(CultureInfo.InvariantCulture), "-1", "4096", int.MaxValue.ToString(CultureInfo.InvariantCulture)]
        : type == typeof(DateTime) ? TestHost.IsGlobal ? [.. s_times.Select(Literal), "'infinity'", "'-infinity'", "'294276-01-01'", "'4713-01-01 BC'"] : [.. s_times.Select(Literal), "'never'", "''", "7"]
        : [];

    static string Literal(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";

    /// <summary>What the schema refuses by itself has to be harmless where somebody has taken that away.</summary>
    async Task DropConstraintsAsync()
    {
        await using var db = Host.OpenCatalog();
        foreach (var drop in await db.Database.SqlQueryRaw<string>("SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS \"Value\" FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace").ToListAsync())
            await db.Database.ExecuteSqlRawAsync(drop);
    }
}
