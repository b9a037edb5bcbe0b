using System.Text.Json;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Docker;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Commands;

/// <summary><c>volman status</c> as health checks and operators run it.</summary>
[Trait("Catalog", "any")]
public sealed class StatusCommandTests(RunningHost running) : IClassFixture<RunningHost>
{
    readonly TestHost _host = running.Host;

    static IEnumerable<string> Warnings(JsonElement status) => status.GetProperty("warnings").EnumerateArray().Select(w => w.GetString()!);

    Task<VolmanProcess.Ended> RunAsync(params string[] arguments) => VolmanProcess.RunAsync(["status", .. arguments, "--admin-socket", _host.Settings.AdminSocket], null);

    [Fact]
    public async Task A_daemon_that_serves_tells_what_it_has()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("one"));
        Assert.Equal("", await _host.Engine.CreateAsync("two"));
        Assert.Equal("", await _host.Engine.MountAsync("one", "x"));
        Assert.Equal("", await _host.Engine.MountAsync("one", "y"));
        var ended = await RunAsync();
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        Assert.Matches($@"^host      test-host, volman {ProgramVersion.Text}, up since 20\d\d-.*Z\ncatalog   .+, scope (local|global), in touch\nschema    \d{{14}}_\w+\n(lease     until 20\d\d-.*Z\n)?volumes   3, of which 1 is mounted here for 2 callers\nexport    /.+/data, 3 volumes, 1 mounted here, fine\n(warning   .+\n)*$", ended.Output);
        Assert.DoesNotContain("export", (await RunAsync("--quick")).Output, StringComparison.Ordinal);
        var json = JsonDocument.Parse((await RunAsync("--output", "json")).Output).RootElement;
        Assert.Equal((3, 1, 2), (json.GetProperty("volumes").GetInt32(), json.GetProperty("mounted_volumes").GetInt32(), json.GetProperty("callers").GetInt32()));
        Assert.Equal((0, false), (json.GetProperty("untold_events").GetInt64(), Warnings(json).Any(w => w.Contains("data root", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task Without_a_daemon_it_fails_and_says_where_none_answers() => VolmanProcess.AssertRefused(
        "no volman answers on /nowhere/admin.sock: start volman serve, or name its socket with --admin-socket", await VolmanProcess.RunAsync("status", "--admin-socket", "/nowhere/admin.sock"));

    [Fact]
    public async Task A_daemon_that_does_not_answer_is_not_waited_for()
    {
        var path = _host.Settings.AdminSocket + ".silent";
        using var silent = VolumeManager.Commands.ListenSocket.Bind(path, "--admin-socket");
        VolmanProcess.AssertRefused("the volman on .+ has not answered within 5 s: see its log, and start it anew if that lasts", await VolmanProcess.RunAsync("status", "--admin-socket", path));
    }

    [Fact]
    public async Task A_disk_that_is_not_mounted_is_a_warning()
    {
        await using var host = new TestHost();
        await host.StartAsync();
        Assert.Equal("", await host.Engine.CreateAsync("v"));
        Directory.Move(host.Settings.DataRoot, host.Settings.DataRoot + ".away");
        Directory.CreateDirectory(host.Settings.DataRoot);
        using var asks = OperatorClient.Of(host);
        Assert.Contains(Warnings((await asks.SendAsync("GET", "/v1/status")).Json), w => w.StartsWith($"the data root {host.Settings.DataRoot} is not the directory that it was: mount its disk", StringComparison.Ordinal));
        Directory.Delete(host.Settings.DataRoot);
        Directory.Move(host.Settings.DataRoot + ".away", host.Settings.DataRoot);
    }
}
