using System.Text.Json;
using System.Text.RegularExpressions;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>protocol.md 8, 22, 23, 27, 33, 34: Get, List, Path and Capabilities.</summary>
public sealed partial class ReadTests : IAsyncLifetime
{
    TestHost _host = null!;

    public async Task InitializeAsync() => _host = await TestHost.StartNewAsync();

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [GeneratedRegex(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Rfc3339();

    [Fact, Trait("Catalog", "sqlite")]
    public async Task The_scope_of_one_host_is_local() =>
        Assert.Equal("""{"Capabilities":{"Scope":"local"}}""", (await _host.Engine.CallAsync("/VolumeDriver.Capabilities", "{}\n")).Body);

    [Fact]
    public async Task An_unknown_volume_is_no_such_volume() => Assert.Equal("""{"Err":"no such volume"}""", (await _host.Engine.GetAsync("nobody")).Body);

    [Fact]
    public async Task A_known_volume_is_told_as_the_engine_parses_it()
    {
        var before = DateTime.UtcNow.AddSeconds(-1);
        Assert.Equal("", await _host.Engine.CreateAsync(
            "v", new Dictionary<string, string> { ["size"] = "7E", ["uid"] = "4294967294", ["label.team/a"] = "b", ["access"] = "single-host" }));
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.MountAsync("v", "y");
        var volume = (await _host.Engine.GetAsync("v")).Json.GetProperty("Volume");
        Assert.Equal("v", volume.GetProperty("Name").GetString());
        Assert.Equal(_host.TargetOf("v"), volume.GetProperty("Mountpoint").GetString());
        Assert.Matches(Rfc3339(), volume.GetProperty("CreatedAt").GetString());
        Assert.InRange(volume.GetProperty("CreatedAt").GetDateTime(), before, DateTime.UtcNow);

        var status = volume.GetProperty("Status");
        Assert.Equal(JsonValueKind.Object, status.ValueKind);
        Assert.All(Leaves(status), leaf => Assert.Equal(JsonValueKind.String, leaf.ValueKind));
        Assert.Equal("ready", status.GetProperty("State").GetString());
        Assert.Equal("8070450532247928832", status.GetProperty("SizeBytes").GetString());
        Assert.NotEqual("", status.GetProperty("SizeEnforced").GetString());
        Assert.Equal("4294967294", status.GetProperty("Options").GetProperty("uid").GetString());
        Assert.Equal("b", status.GetProperty("Labels").GetProperty("team/a").GetString());
        Assert.Equal(_host.DataOf("v"), status.GetProperty("Directory").GetString());
        var holder = Assert.Single(status.GetProperty("Holders").EnumerateArray());
        Assert.Equal("test-host", holder.GetProperty("Host").GetString());
        Assert.Equal("2", holder.GetProperty("Callers").GetString());
        Assert.Equal("3", holder.GetProperty("Mounts").GetString());
        Assert.Matches(Rfc3339(), holder.GetProperty("Since").GetString());
    }

    [Fact]
    public async Task What_is_told_of_a_volume_is_the_same_after_a_restart()
    {
        await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["size"] = "10G", ["mode"] = "01777", ["label.a"] = "ü \"'<>&", ["on-remove"] = "delete" });
        await _host.Engine.MountAsync("v", "x");
        var before = (await _host.Engine.GetAsync("v")).Body;
        await _host.RestartAsync();
        // Whether the size is enforced is found out in the background.
        await Poll.UntilAsync("all is known again", async () => !(await _host.Engine.GetAsync("v")).Body.Contains("unknown: ", StringComparison.Ordinal));
        Assert.Equal(before, (await _host.Engine.GetAsync("v")).Body);
    }

    [Fact]
    public async Task An_empty_list_is_an_empty_array() => Assert.Equal("""{"Volumes":[],"Err":""}""", (await _host.Engine.CallAsync("/VolumeDriver.List", "{}\n")).Body);

    [Fact]
    public async Task A_list_has_every_volume_once_and_no_null()
    {
        var names = Enumerable.Range(0, 300).Select(i => $"{new string('n', 150)}{i:000}").ToList();
        Assert.All(await Task.WhenAll(names.Select(n => _host.Engine.CreateAsync(n))), error => Assert.Equal("", error));
        var reply = await _host.Engine.CallAsync("/VolumeDriver.List", "{}\n");
        var volumes = reply.Json.GetProperty("Volumes").EnumerateArray().ToList();
        Assert.All(volumes, v => Assert.Equal(JsonValueKind.Object, v.ValueKind));
        Assert.Equal(names, volumes.Select(v => v.GetProperty("Name").GetString()!).Order(StringComparer.Ordinal));
        Assert.All(volumes, v => Assert.Equal(_host.TargetOf(v.GetProperty("Name").GetString()!), v.GetProperty("Mountpoint").GetString()));
        Assert.DoesNotContain("null", reply.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_needs_no_body() => Assert.Equal("""{"Volumes":[],"Err":""}""", (await _host.Engine.CallAsync("/VolumeDriver.List", null)).Body);

    [Fact]
    public async Task A_path_is_told_only_while_the_volume_is_mounted()
    {
        await _host.Engine.CreateAsync("v");
        Assert.Equal("""{"Mountpoint":"","Err":""}""", (await _host.Engine.CallAsync("/VolumeDriver.Path", """{"Name":"v"}""")).Body);
        Assert.Equal("""{"Mountpoint":"","Err":""}""", (await _host.Engine.CallAsync("/VolumeDriver.Path", """{"Name":"nobody"}""")).Body);
        var mounted = await _host.Engine.CallAsync("/VolumeDriver.Mount", """{"Name":"v","ID":"x"}""");
        Assert.Equal(mounted.Body, (await _host.Engine.CallAsync("/VolumeDriver.Path", """{"Name":"v"}""")).Body);
    }

    [Fact]
    public async Task Reads_touch_no_data()
    {
        await _host.Engine.CreateAsync("v");
        await _host.Engine.MountAsync("v", "x");
        await _host.Engine.UnmountAsync("v", "x");
        Directory.Move(_host.Settings.DataRoot, _host.Settings.DataRoot + "-away");
        Assert.Equal("v", (await _host.Engine.GetAsync("v")).Json.GetProperty("Volume").GetProperty("Name").GetString());
        Assert.Equal(["v"], await _host.Engine.ListAsync());
        Assert.Equal("", await _host.Engine.PathAsync("v"));
    }

    [Fact]
    public async Task A_removed_volume_is_no_such_volume_at_once()
    {
        await _host.Engine.CreateAsync("v");
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        Assert.Equal("no such volume", (await _host.Engine.GetAsync("v")).Err);
        Assert.Empty(await _host.Engine.ListAsync());
    }

    static IEnumerable<JsonElement> Leaves(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(p => Leaves(p.Value)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(Leaves),
        _ => [json],
    };
}
