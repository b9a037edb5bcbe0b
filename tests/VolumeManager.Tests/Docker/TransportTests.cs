using System.Text;
using System.Text.Json;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>protocol.md 8, 1 to 6 and 10 to 12: what engines of all ages send is understood, and answered in the one form that all of them understand.</summary>
public sealed class TransportTests(RunningHost running) : IClassFixture<RunningHost>
{
    readonly TestHost _host = running.Host;

    static readonly string?[] Accepts =
    [
        "application/vnd.docker.plugins.v1+json", "application/vnd.docker.plugins.v1.1+json", PluginClient.Accept, "*/*", null,
    ];

    public static TheoryData<string, string?> Calls => new()
    {
        { "/Plugin.Activate", null },
        { "/VolumeDriver.Capabilities", "{}\n" },
        { "/VolumeDriver.Create", """{"Name":"kept","Opts":null}""" },
        { "/VolumeDriver.Get", """{"Name":"kept"}""" },
        { "/VolumeDriver.List", "{}\n" },
        { "/VolumeDriver.Path", """{"Name":"kept"}""" },
        { "/VolumeDriver.Remove", """{"Name":"never-made"}""" },
        { "/VolumeDriver.Mount", """{"Name":"kept","ID":"x"}""" },
        { "/VolumeDriver.Unmount", """{"Name":"kept","ID":"x"}""" },
    };

    [Theory]
    [InlineData(null)]
    [InlineData("null\n")]
    [InlineData("{}")]
    public async Task Activate_answers_whatever_its_body(string? body)
    {
        var reply = await _host.Engine.CallAsync("/Plugin.Activate", body);
        Assert.Equal(200, reply.Status);
        Assert.Equal("""{"Implements":["VolumeDriver"]}""", reply.Body);
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Every_endpoint_answers_in_the_engines_form(string path, string? body)
    {
        var reply = await _host.Engine.CallAsync(path, body);
        Assert.Equal("HTTP/1.1 200 OK", reply.Head.Split("\r\n")[0]);
        Assert.Equal("close", reply.Header("Connection"));
        Assert.Equal("application/vnd.docker.plugins.v1.2+json", reply.Header("Content-Type"));
        Assert.Null(reply.Header("Content-Encoding"));
        Assert.StartsWith("{", reply.Body, StringComparison.Ordinal);
        Assert.EndsWith("}", reply.Body, StringComparison.Ordinal);
        Assert.Equal("", reply.Err);
        Assert.All(Keys(reply.Json), key => Assert.True(char.IsAsciiLetterUpper(key[0]), $"{key} is not written as the engine writes it"));
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Accept_and_Host_change_nothing(string path, string? body)
    {
        var expected = (await _host.Engine.CallAsync(path, body)).Body;
        foreach (var accept in Accepts) Assert.Equal(expected, (await _host.Engine.SendAsync(PluginClient.Request(path, body, accept: accept))).Body);
        foreach (var name in new[] { "", "x:1", "localhost", "a.b.c:65535" })
        {
            var reply = await _host.Engine.SendAsync(PluginClient.Request(path, body, host: name));
            Assert.Equal(200, reply.Status);
            Assert.Equal(expected, reply.Body);
        }
    }

    [Fact]
    public async Task A_client_that_offers_gzip_is_answered_in_plain()
    {
        var head = "POST /VolumeDriver.List HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nAccept-Encoding: gzip\r\n\r\n{}";
        var reply = await _host.Engine.SendAsync(Encoding.ASCII.GetBytes(head));
        Assert.Null(reply.Header("Content-Encoding"));
        Assert.Contains("\"kept\"", reply.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"Name":"kept","Unknown":{"a":[1,2]},"ID":"x"}""")]
    [InlineData("""{"name":"kept"}""")]
    [InlineData("""{"NAME":"kept"}""")]
    [InlineData("""  {"Name":"kept"}   """)]
    [InlineData("""{"Name":"kept"} and what follows""")]
    [InlineData("""{"Name":"\u006bept"}""")]
    public async Task Unknown_fields_other_case_and_what_follows_are_passed_over(string body)
    {
        var reply = await _host.Engine.CallAsync("/VolumeDriver.Get", body);
        Assert.Equal("kept", reply.Json.GetProperty("Volume").GetProperty("Name").GetString());
    }

    [Theory]
    [InlineData("POST", "/VolumeDriver.Foo", 404)]
    [InlineData("POST", "/", 404)]
    [InlineData("POST", "/volumedriver.get", 404)]
    [InlineData("POST", "/VolumeDriver.Get/", 404)]
    [InlineData("GET", "/VolumeDriver.List", 405)]
    [InlineData("GET", "/Plugin.Activate", 405)]
    [InlineData("PUT", "/VolumeDriver.Create", 405)]
    public async Task What_is_not_of_the_protocol_is_refused_at_once(string method, string path, int status)
    {
        var reply = await _host.Engine.SendAsync(PluginClient.Request(path, """{"Name":"kept"}""", method));
        Assert.Equal(status, reply.Status);
        Assert.Equal("", reply.Body);
    }

    [Fact]
    public async Task A_mebibyte_of_labels_is_stored()
    {
        var labels = Enumerable.Range(0, 256).ToDictionary(i => $"label.key{i}", _ => new string('v', 4096));
        Assert.Equal("", await _host.Engine.CreateAsync("mebibyte", labels));
        var status = (await _host.Engine.GetAsync("mebibyte")).Json.GetProperty("Volume").GetProperty("Status");
        Assert.Equal(256, status.GetProperty("Labels").EnumerateObject().Count());
        Assert.All(status.GetProperty("Labels").EnumerateObject(), label => Assert.Equal(4096, label.Value.GetString()!.Length));
    }

    [Fact]
    public async Task A_mebibyte_in_one_option_is_refused_in_one_sentence()
    {
        var error = await _host.Engine.CreateAsync("too-long", new Dictionary<string, string> { ["label.a"] = new('v', 1 << 20) });
        Assert.Contains("label.a", error, StringComparison.Ordinal);
        Assert.Contains("is longer than 4096 characters", error, StringComparison.Ordinal);
        Assert.DoesNotContain("too-long", await _host.Engine.ListAsync());
    }

    [Fact]
    public async Task Five_mebibytes_are_refused_in_one_sentence()
    {
        var body = JsonSerializer.Serialize(new { Name = "too-long", Opts = new Dictionary<string, string> { ["label.a"] = new('v', 5 << 20) } });
        using var socket = await _host.Engine.ConnectAsync();
        try
        {
            await socket.SendAsync(PluginClient.Request("/VolumeDriver.Create", body));
        }
        catch (System.Net.Sockets.SocketException)
        {
            // It has heard enough, and its answer is here.
        }

        var reply = await PluginClient.ReceiveAsync(socket);
        Assert.Equal(200, reply.Status);
        Assert.Contains("the request is longer than 4194304 bytes", reply.Err, StringComparison.Ordinal);
        Assert.DoesNotContain("too-long", await _host.Engine.ListAsync());
    }

    static IEnumerable<string> Keys(JsonElement json) => json.ValueKind switch
    {
        // Below Options and Labels are the user's own keys.
        JsonValueKind.Object => json.EnumerateObject().SelectMany(p => Keys(p.Name is "Options" or "Labels" ? default : p.Value).Prepend(p.Name)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(Keys),
        _ => [],
    };
}
