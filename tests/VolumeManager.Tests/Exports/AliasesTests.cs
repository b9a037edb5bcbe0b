using VolumeManager.Exports;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Exports;

/// <summary>Which places are one directory: by trying where that can be done, and by what the names of servers mean where not.</summary>
[Trait("Catalog", "none")]
public sealed class AliasesTests : IDisposable
{
    readonly ScratchFolder _root = new();

    public void Dispose() => _root.Dispose();

    /// <summary>A host that serves one directory as <c>localhost:/e</c>, and has a data root.</summary>
    ExportTable Serve(string exportDirectory, string dataRoot)
    {
        var settings = new Settings { StateDirectory = Directory.CreateDirectory($"{_root}/state").FullName, DataRoot = dataRoot, Backend = "nfs", NfsServer = "localhost", NfsExport = "/e" };
        var exports = new ExportTable(settings, new DirectoryRoot(dataRoot), new DirectoryRoot(exportDirectory));
        exports.Hosted!.Refusal = null;
        return exports;
    }

    static Volume At(string backend, string server = "", string export = "", string directory = "d") =>
        new() { Id = Guid.NewGuid(), Name = $"v-{server}", Backend = backend, Server = server, Export = export, Directory = directory, CreatedAt = DateTime.UnixEpoch, CreatedOnHost = "h" };

    string[] Hidden(string directory) => [.. Directory.GetDirectories($"{_root}/{directory}", ".volman-mark*")];

    [Fact]
    public async Task A_directory_is_recognised_by_what_is_made_in_it()
    {
        var exports = Serve($"{_root}/one", $"{_root}/one");
        var served = At("nfs", "localhost", "/e");
        Assert.Equal(["v-"], (await Aliases.FindAsync(exports, served, [At("local"), served], CancellationToken.None)).Same.Select(v => v.Name));
        Assert.Equal(["v-localhost"], (await Aliases.FindAsync(exports, At("local"), [served], CancellationToken.None)).Same.Select(v => v.Name));
        Assert.Empty(Hidden("one"));
    }

    [Fact]
    public async Task Another_directory_is_another_one()
    {
        var exports = Serve($"{_root}/one", $"{_root}/two");
        var found = await Aliases.FindAsync(exports, At("nfs", "localhost", "/e"), [At("local")], CancellationToken.None);
        Assert.Empty(found.Same);
        Assert.Empty(found.Unknown);
        Assert.Empty(Hidden("one"));
        Assert.Empty(Hidden("two"));
    }

    [Fact]
    public async Task What_cannot_be_reached_is_judged_by_its_servers_addresses_and_else_unknown()
    {
        var exports = Serve($"{_root}/one", $"{_root}/two");
        // Nobody serves NFS there.
        Volume[] suspects = [At("nfs", "127.0.0.1", "/e"), At("nfs", "127.0.0.1", "/e", "deeper/d"), At("nfs", "127.0.0.1", "/other"), At("nfs", "127.0.0.9", "/e"), At("nfs", "nobody.invalid", "/e")];
        var found = await Aliases.FindAsync(exports, At("nfs", "localhost", "/e"), suspects, CancellationToken.None);
        Assert.Equal(suspects[..2], found.Same);
        Assert.Equal(suspects[2..], found.Unknown.Select(u => u.Volume));
        Assert.All(found.Unknown, u => Assert.Matches("^the NFS server .+: .+", u.Why));
        Assert.Empty(Hidden("one"));
    }

    [Theory]
    [InlineData("a", "a", true)]
    [InlineData("a", "a/b", true)]
    [InlineData("a/b/c", "a/b", true)]
    [InlineData("a", "ab", false)]
    [InlineData("a/b", "a/c", false)]
    [InlineData("a", "A", false)]
    public void Directories_overlap_when_one_contains_the_other(string one, string other, bool overlap)
    {
        Assert.Equal(overlap, At("local", directory: one).Overlaps(At("local", directory: other)));
        Assert.Equal(overlap, At("local", directory: other).Overlaps(At("local", directory: one)));
    }

    [Fact]
    public async Task Of_many_who_try_one_directory_by_two_names_at_one_moment_each_can_write()
    {
        var exports = Serve($"{_root}/one", $"{_root}/one");
        var tries = Enumerable.Range(0, 400).Select(i => i % 2 == 0 ? exports.Local.ProbeAsync(At("local"), CancellationToken.None) : exports.Hosted!.ProbeAsync(At("nfs", "localhost", "/e"), CancellationToken.None));
        Assert.All(await Task.WhenAll(tries), Assert.Null);
        Assert.Empty(Hidden("one"));
    }

    [Fact]
    public async Task What_a_killed_one_has_left_is_taken_away_a_day_later()
    {
        var exports = Serve($"{_root}/one", $"{_root}/one");
        string Mark(TimeSpan age) => Directory.CreateDirectory($"{_root}/one/.volman-mark-{Guid.CreateVersion7(DateTimeOffset.UtcNow - age):N}").FullName;
        var (old, fresh, strange) = (Mark(TimeSpan.FromHours(25)), Mark(TimeSpan.FromHours(23)), Directory.CreateDirectory($"{_root}/one/.volman-mark-of-somebody").FullName);
        File.WriteAllText(Mark(TimeSpan.FromDays(9)) + "/kept", "");
        Assert.Null(await exports.Local.ProbeAsync(At("local"), CancellationToken.None));
        Assert.False(Directory.Exists(old));
        Assert.True(Directory.Exists(fresh) && Directory.Exists(strange));
        Assert.Equal(3, Hidden("one").Length);
    }
}
