using Microsoft.Extensions.Logging;
using VolumeManager.Commands;
using VolumeManager.Tests.Docker;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>The admin socket: what it answers, what it refuses and how, and that neither socket serves what is the other's.</summary>
public sealed class AdminApiTests(RunningHost running) : IClassFixture<RunningHost>, IDisposable
{
    readonly TestHost _host = running.Host;
    readonly OperatorClient _operator = OperatorClient.Of(running.Host);

    public void Dispose() => _operator.Dispose();

    [Fact]
    public void The_socket_is_roots_alone() => Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_host.Settings.AdminSocket));

    [Fact]
    public async Task Neither_socket_serves_the_others_routes()
    {
        foreach (var path in new[] { "/Plugin.Activate", "/VolumeDriver.List", "/VolumeDriver.Remove" })
        {
            Assert.Equal(404, (await _operator.SendAsync("POST", path, """{"Name":"kept"}""")).Status);
        }

        Assert.Equal(405, (await _host.Engine.SendAsync(PluginClient.Request("/v1/trash", null, method: "GET"))).Status);
        Assert.Equal(404, (await _host.Engine.CallAsync("/v1/trash/kept/restore", "{}")).Status);
        Assert.Equal("", (await _host.Engine.GetAsync("kept")).Err);
    }

    [Theory]
    [InlineData("GET", "/", null, 404)]
    [InlineData("GET", "/v1", null, 404)]
    [InlineData("GET", "/v1/trash/", null, 404)]
    [InlineData("GET", "/v2/trash", null, 404)]
    [InlineData("PUT", "/v1/trash", null, 405)]
    [InlineData("GET", "/v1/trash/x/restore", null, 405)]
    [InlineData("POST", "/v1/trash//restore", null, 404)]
    [InlineData("POST", "/v1/trash/x/restore/y", null, 404)]
    [InlineData("POST", "/v1/trash/nobody/restore", null, 404)]
    [InlineData("DELETE", "/v1/trash/nobody", null, 404)]
    [InlineData("POST", "/v1/trash/nobody/restore", "{", 400)]
    [InlineData("POST", "/v1/trash/nobody/restore", "null", 400)]
    [InlineData("POST", "/v1/trash/nobody/restore", """{"nome":"x"}""", 400)]
    [InlineData("POST", "/v1/trash/nobody/restore", """{"name":"../x"}""", 400)]
    public async Task What_is_wrong_is_told_as_a_problem_in_one_sentence(string method, string path, string? body, int status)
    {
        var reply = await _operator.SendAsync(method, path, body);
        Assert.Equal((status, "application/problem+json"), (reply.Status, reply.ContentType));
        Assert.Equal(reply.Status, reply.Json.GetProperty("status").GetInt32());
        Assert.NotEqual("", reply.Detail);
        Assert.DoesNotContain('\n', reply.Detail);
    }

    [Fact]
    public async Task The_trash_is_listed_with_what_an_operator_asks_for()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("listed"));
        Assert.Equal("", await _host.Engine.RemoveAsync("listed"));
        var volume = Assert.Single(await _operator.TrashAsync(), v => v.GetProperty("name").GetString() == "listed");
        Assert.Equal(("trashed", "local", _host.DataOf("listed")), (volume.GetProperty("state").GetString(), volume.GetProperty("backend").GetString(), volume.GetProperty("source").GetString()));
        Assert.Equal(TimeSpan.FromHours(24), volume.GetProperty("purge_after").GetDateTime() - volume.GetProperty("removed_at").GetDateTime());
        Assert.Equal(DateTimeKind.Utc, volume.GetProperty("removed_at").GetDateTime().Kind);
        Assert.Equal(System.Text.Json.JsonValueKind.Null, volume.GetProperty("used_bytes").ValueKind);
        Assert.Single(Directory.GetDirectories(_host.DataOf(".trash"), $"listed.{volume.GetProperty("id").GetGuid():N}"));
    }

    [Fact]
    public async Task A_second_daemon_on_the_same_admin_socket_is_refused_and_the_first_goes_on()
    {
        await using var second = new TestHost();
        second.Settings = second.Settings with { AdminSocket = _host.Settings.AdminSocket };
        var error = await Assert.ThrowsAsync<VolumeException>(() => ServeCommand.RunAsync(second.Settings, new LogSettings { Level = LogLevel.None }, CancellationToken.None));
        Assert.Equal($"another daemon answers on {_host.Settings.AdminSocket}: stop it, or choose another --admin-socket", error.Message);
        Assert.Equal(200, (await _operator.SendAsync("GET", "/v1/trash")).Status);
        Assert.False(File.Exists(second.Settings.Socket));
    }

    [Fact]
    public async Task A_daemon_that_is_refused_the_plugin_socket_leaves_no_admin_socket_behind()
    {
        await using var second = new TestHost();
        second.Settings = second.Settings with { Socket = _host.Settings.Socket };
        await Assert.ThrowsAsync<VolumeException>(() => ServeCommand.RunAsync(second.Settings, new LogSettings { Level = LogLevel.None }, CancellationToken.None));
        Assert.False(File.Exists(second.Settings.AdminSocket));
        Assert.True(File.Exists(_host.Settings.AdminSocket));
    }

    [Fact]
    public async Task A_stopped_daemon_leaves_no_admin_socket_behind()
    {
        await using var host = await TestHost.StartNewAsync();
        Assert.True(File.Exists(host.Settings.AdminSocket));
        await host.StopAsync();
        Assert.False(File.Exists(host.Settings.AdminSocket));
    }
}
