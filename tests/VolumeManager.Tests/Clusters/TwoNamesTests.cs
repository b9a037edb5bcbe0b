using System.Text.Json;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>
/// One directory that the catalog knows by two names: as the data root of a host, and as the export that it serves. No directory in it becomes two volumes. The same code
/// compares two names of one NFS server.
/// </summary>
[Trait("Catalog", "postgres")]
public sealed class TwoNamesTests : IAsyncLifetime, IAsyncDisposable
{
    readonly ExportfsStandIn _exportfs = new();
    TestCluster _cluster = null!;
    OperatorClient _operator = null!;

    TestHost Host => _cluster[0];

    public async Task InitializeAsync()
    {
        _cluster = await TestCluster.StartNewAsync(1, start: false);
        Host.Settings = Host.Settings with { NfsServer = "served.invalid", NfsExport = "/e", Address = "192.0.2.1", ExportDirectory = Host.Settings.DataRoot, ExportPlaces = _exportfs.Places };
        await Host.StartAsync();
        _operator = OperatorClient.Of(Host);
        await Poll.UntilAsync("the export can be used", async () => (await _operator.SendAsync("GET", "/v1/adoptable?backend=nfs")).Status == 200);
        foreach (var directory in new[] { "old", "team/a", "team/b" }) Directory.CreateDirectory(Host.DataOf(directory));
        Assert.Equal("", await Host.Engine.CreateAsync("v"));
        Assert.Equal("", await Host.Engine.CreateAsync("a", new { path = "team/a" }));
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public async ValueTask DisposeAsync()
    {
        _operator.Dispose();
        await _cluster.DisposeAsync();
        _exportfs.Dispose();
    }

    [Fact]
    public async Task What_is_a_volumes_by_the_other_name_is_not_offered()
    {
        var scan = (await _operator.SendAsync("GET", "/v1/adoptable?backend=nfs")).Json;
        Assert.Equal(["old", "team/b"], scan.GetProperty("found").EnumerateArray().Select(f => f.GetProperty("directory").GetString()));
        Assert.All(scan.GetProperty("found").EnumerateArray(), f => Assert.Equal(JsonValueKind.Null, f.GetProperty("why_not").ValueKind));
        Assert.Empty(Directory.GetDirectories(Host.Settings.DataRoot, ".volman-mark*"));
    }

    [Theory]
    [InlineData("v")]
    [InlineData("team")]
    [InlineData("team/a")]
    public async Task What_overlaps_a_volume_by_the_other_name_is_refused(string path)
    {
        var (owner, at) = path == "v" ? ("v", "v") : ("a", "team/a");
        var expected = $"volume w cannot have the directory served.invalid:/e/{path}, which overlaps that of volume {owner}, for {Host.DataOf(at)} is in the same place under another name: choose another path or place";
        Assert.Equal(expected, await Host.Engine.CreateAsync("w", new { backend = "nfs", path }));
        foreach (var dryRun in new[] { "true", "false" })
        {
            Assert.Equal(expected, (await _operator.SendAsync("POST", "/v1/volumes", $$$"""{"name": "w", "options": {"backend": "nfs", "path": "{{{path}}}"}, "dry_run": {{{dryRun}}}}""")).Detail);
        }

        Assert.Equal(["a", "v"], await Host.Engine.ListAsync());
    }

    [Fact]
    public async Task What_overlaps_nothing_is_adopted_and_from_then_on_the_other_names()
    {
        Assert.Equal("", await Host.Engine.CreateAsync("w", new { backend = "nfs", path = "old" }));
        Assert.StartsWith("volume x cannot have the directory", await Host.Engine.CreateAsync("x", new { path = "old" }), StringComparison.Ordinal);
        var scan = (await _operator.SendAsync("GET", "/v1/adoptable")).Json;
        Assert.Equal(["team/b"], scan.GetProperty("found").EnumerateArray().Select(f => f.GetProperty("directory").GetString()));
        // A new one is nobody's, and is asked nothing.
        Assert.Equal("", await Host.Engine.CreateAsync("fresh", new { backend = "nfs" }));
    }

    [Fact]
    public async Task A_volume_is_not_moved_onto_itself()
    {
        var reply = await _operator.SendAsync("POST", "/v1/volumes/v/move", """{"options": {"backend": "nfs"}}""");
        Assert.Equal((409, $"volume v cannot have the directory served.invalid:/e/v, which overlaps that of volume v, for {Host.DataOf("v")} is in the same place under another name: choose another path or place"), (reply.Status, reply.Detail));
        Assert.True(Directory.Exists(Host.DataOf("v")));
    }

    [Fact]
    public async Task What_has_been_given_to_another_by_the_other_name_is_not_restored_there()
    {
        Assert.Equal("", await Host.Engine.CreateAsync("w", new Dictionary<string, string> { ["path"] = "old", ["on-remove"] = "trash" }));
        Assert.Equal("", await Host.Engine.RemoveAsync("w"));
        Directory.CreateDirectory(Host.DataOf("old"));
        Assert.Equal("", await Host.Engine.CreateAsync("x", new { backend = "nfs", path = "old" }));
        var expected = $"volume w cannot have the directory {Host.DataOf("old")}, which overlaps that of volume x, for served.invalid:/e/old is in the same place under another name: choose another path or place";
        foreach (var dryRun in new[] { "true", "false" }) Assert.Equal(expected, (await _operator.SendAsync("POST", "/v1/trash/w/restore", $$"""{"dry_run": {{dryRun}}}""")).Detail);
        Assert.Single(await _operator.TrashAsync());
        Assert.Equal("", await Host.Engine.RemoveAsync("x"));
        Assert.Equal(200, (await _operator.RestoreAsync("w")).Status);
    }

    [Fact]
    public async Task The_doctor_knows_whose_they_are()
    {
        Assert.Equal("", await Host.Engine.CreateAsync("w", new { backend = "nfs", path = "old" }));
        Directory.CreateDirectory(Host.DataOf("nobodys"));
        var unknown = (await _operator.SendAsync("GET", "/v1/doctor")).Json.GetProperty("findings").EnumerateArray().Where(f => f.GetProperty("code").GetString() == "directory-unknown");
        Assert.Equal([Host.DataOf("nobodys"), "served.invalid:/e/nobodys"], unknown.Select(f => f.GetProperty("subject").GetString()).Order(StringComparer.Ordinal));
    }
}
