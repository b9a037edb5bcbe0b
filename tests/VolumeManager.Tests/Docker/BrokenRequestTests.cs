using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>protocol.md 8, 7 to 9: what is empty, cut off or no JSON of the protocol changes nothing, and Get never says of it what an engine could take for an answer.</summary>
public sealed class BrokenRequestTests(RunningHost running) : IClassFixture<RunningHost>, IAsyncLifetime
{
    readonly TestHost _host = running.Host;

    /// <summary>Each test ends as it began: with one volume, which <c>x</c> holds once.</summary>
    public async Task InitializeAsync()
    {
        if (await _host.CountMountRowsAsync() == 0) Assert.Equal("", await _host.Engine.MountAsync("kept", "x"));
    }

    public async Task DisposeAsync()
    {
        Assert.Equal(["kept"], await _host.Engine.ListAsync());
        Assert.Equal("x=1", await _host.MountRowsAsync("kept"));
        Assert.Equal(["kept"], _host.KernelMounts());
        Assert.Equal([".trash", "kept"], Directory.GetFileSystemEntries(_host.Settings.DataRoot).Select(Path.GetFileName).Where(name => name != ".volman-root").Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("Create")]
    [InlineData("Get")]
    [InlineData("Path")]
    [InlineData("Remove")]
    [InlineData("Mount")]
    [InlineData("Unmount")]
    public async Task A_retried_request_that_lost_its_body_is_not_answered(string verb)
    {
        Assert.True((await _host.Engine.CallAsync("/VolumeDriver." + verb, null)).Aborted);
        Assert.True((await _host.Engine.CallAsync("/VolumeDriver." + verb, " \r\n\t")).Aborted);
    }

    [Theory]
    [InlineData("Create", """{"Name":"n""")]
    [InlineData("Create", """{"Name":"new"}""")]
    [InlineData("Get", """{"Name":"k""")]
    [InlineData("Get", """{"Name":"never-made"}""")]
    [InlineData("Path", """{"Name":"kept"}""")]
    [InlineData("Remove", """{"Name":"kept"}""")]
    [InlineData("Mount", """{"Name":"kept","ID":"y"}""")]
    [InlineData("Unmount", """{"Name":"kept","ID":"x"}""")]
    public async Task A_request_that_was_cut_off_is_not_answered(string verb, string beginning)
    {
        var request = PluginClient.Request("/VolumeDriver." + verb, beginning, contentLength: 50);
        Assert.True((await _host.Engine.SendAsync(request, halfClose: true)).Aborted);
    }

    public static TheoryData<string> Malformed => new(
        "{", """{"Name":""", """{"Name":"kept",}""", "[]", "\"x\"", "5", "true", "{\"Name\":5}", """{"Name":["kept"]}""", """{"Name":"kept","Opts":[]}""",
        """{"Name":"kept","Opts":{"a":5}}""", """{"Name":"kept","ID":7}""", """{"Name":"\ud800"}""", "{\"Name\":\"a\u0001b\"}",
        "null", "hello", "{'Name':'kept'}", new string('[', 100_000));

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task What_is_no_request_of_the_protocol_is_refused_and_Get_and_Path_stay_silent(string body)
    {
        foreach (var verb in new[] { "Create", "Remove", "Mount", "Unmount" })
        {
            var reply = await _host.Engine.CallAsync("/VolumeDriver." + verb, body);
            Assert.Equal(200, reply.Status);
            Assert.Contains("the request is ", reply.Err, StringComparison.Ordinal);
        }

        Assert.True((await _host.Engine.CallAsync("/VolumeDriver.Get", body)).Aborted);
        Assert.True((await _host.Engine.CallAsync("/VolumeDriver.Path", body)).Aborted);
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"Name":null}""")]
    [InlineData("""{"ID":"x"}""")]
    public async Task A_change_of_no_volume_is_refused(string body)
    {
        foreach (var verb in new[] { "Remove", "Mount", "Unmount" })
        {
            Assert.Contains("the request names no volume", (await _host.Engine.CallAsync("/VolumeDriver." + verb, body)).Err, StringComparison.Ordinal);
        }

        Assert.NotEqual("", (await _host.Engine.CallAsync("/VolumeDriver.Create", body)).Err);
    }

    [Fact]
    public async Task Bytes_that_are_no_http_do_not_hurt_the_daemon()
    {
        foreach (var noise in new[] { "\0\0\0\0", "GET\r\n\r\n", "POST /VolumeDriver.Get HTTP/9.9\r\n\r\n", "POST * HTTP/1.1\r\nContent-Length: -1\r\n\r\n" })
        {
            await _host.Engine.SendAsync(System.Text.Encoding.ASCII.GetBytes(noise), halfClose: true);
        }
    }
}
