using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using VolumeManager.Admin;
using VolumeManager.Tests.Docker;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>What no honest program sends to the admin API: each is refused as a problem or cut off, and the daemon goes on.</summary>
public sealed class HostileRequestTests(RunningHost running) : IClassFixture<RunningHost>, IDisposable
{
    readonly TestHost _host = running.Host;
    readonly OperatorClient _operator = OperatorClient.Of(running.Host);

    public void Dispose() => _operator.Dispose();

    /// <summary>What comes back for these bytes until the daemon closes the connection or has answered.</summary>
    async Task<string> RawAsync(string request)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_host.Settings.AdminSocket));
        var answer = new StringBuilder();
        var buffer = new byte[65536];
        try
        {
            await socket.SendAsync(Encoding.Latin1.GetBytes(request));
            while (await socket.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromMinutes(2)) is var length and > 0) answer.Append(Encoding.UTF8.GetString(buffer, 0, length));
        }
        catch (SocketException)
        {
            // Reset, as what was sent was not read to its end.
        }

        return answer.ToString();
    }

    static string Request(string line, string headers = "", string body = "") => $"{line} HTTP/1.1\r\nHost: volman\r\nConnection: close\r\n{headers}\r\n{body}";

    [Theory]
    [InlineData("GET /v1/volumes/..%2f..%2fetc%2fpasswd", 404)]
    [InlineData("GET /v1/volumes/%2e%2e/trash", 200)]
    [InlineData("GET /v1/volumes/../../../etc/passwd", 404)]
    [InlineData("GET /v1//volumes", 404)]
    [InlineData("GET /v1/volumes/kept%00", 400)]
    [InlineData("GET /v1/volumes/kept%0d%0aX-Injected:%201", 404)]
    [InlineData("GET /v1/volumes/kept;x=1", 404)]
    [InlineData("GET /V1/VOLUMES", 404)]
    [InlineData("GET /v1/volumes/{name}", 404)]
    [InlineData("GET http://elsewhere/v1/status", 400)]
    [InlineData("GET /v1/volumes?limit=99999999999999999999", 400)]
    [InlineData("GET /v1/volumes?label=%0d%0aX-Injected:1", 200)]
    [InlineData("GET /v1/events?volume=x%00y", 400)]
    [InlineData("GET /v1/events?volume='%20OR%201=1%20--", 200)]
    [InlineData("DELETE /v1/volumes/%ff%fe", 404)]
    [InlineData("TRACE /v1/status", 405)]
    [InlineData("OPTIONS *", 404)]
    [InlineData("POST /v1/hosts/%0a/evict", 404)]
    public async Task Paths_and_filters_mean_what_they_say(string line, int status)
    {
        var answer = await RawAsync(Request(line));
        Assert.StartsWith($"HTTP/1.1 {status} ", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("\nX-Injected", answer, StringComparison.Ordinal);
        Assert.Equal("", (await _host.Engine.GetAsync("kept")).Err);
    }

    [Theory]
    [InlineData("GARBAGE\r\n\r\n")]
    [InlineData("GET /v1/status HTTP/9.9\r\n\r\n")]
    [InlineData("GET /v1/status HTTP/1.1\r\n\r\n")]
    [InlineData("\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003")]
    public async Task What_is_no_request_is_cut_off(string bytes) => Assert.Matches("^(HTTP/1.1 (400|505) |$)", await RawAsync(bytes + "\r\n\r\n"));

    [Fact]
    public async Task Headers_that_are_too_long_are_refused() =>
        Assert.StartsWith("HTTP/1.1 431 ", await RawAsync(Request("GET /v1/status", $"X-Long: {new string('x', 40_000)}\r\n")), StringComparison.Ordinal);

    [Fact]
    public async Task Bodies_that_are_too_long_or_cut_off_or_no_JSON_are_refused()
    {
        // Told at once, and not read first.
        var told = await RawAsync(Request("POST /v1/volumes", "Content-Type: application/json\r\nContent-Length: 999999999\r\n", "{"));
        Assert.StartsWith("HTTP/1.1 413 ", told, StringComparison.Ordinal);
        Assert.Contains($"longer than {AdminApi.MaxRequestLength} bytes", told, StringComparison.Ordinal);
        var chunks = string.Concat(Enumerable.Repeat($"10000\r\n{new string(' ', 65536)}\r\n", 17));
        // Who still sends when the answer comes may find the connection closed instead.
        Assert.Matches("^(HTTP/1.1 413 |$)", await RawAsync(Request("POST /v1/volumes", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n")));
        var deep = string.Concat(Enumerable.Repeat("{\"options\":", 5000));
        foreach (var body in new[] { deep, "\"", "{\"name\":\"x\",\"name\":1}", "{\"name\":\"x\"} trailing", "\u0000", "{\"name\":\"a\\u0000b\"}", "{\"name\":null}", "{\"name\":\"x\",\"options\":{\"size\":[]}}" })
        {
            var reply = await _operator.SendAsync("POST", "/v1/volumes", body);
            Assert.True(reply.Status == 400, $"{body[..Math.Min(body.Length, 40)]}: {reply.Status} {reply.Json}");
        }

        foreach (var type in new[] { "text/plain", "application/x-www-form-urlencoded", "application/json-patch", "" })
        {
            var header = type.Length > 0 ? $"Content-Type: {type}\r\n" : "";
            Assert.StartsWith("HTTP/1.1 415 ", await RawAsync(Request("POST /v1/volumes", header + "Content-Length: 12\r\n", "{\"name\":\"x\"}")), StringComparison.Ordinal);
        }

        Assert.NotEqual("", (await _host.Engine.GetAsync("x")).Err);
    }

    [Fact]
    public async Task Half_a_body_that_goes_no_further_is_given_up()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(_host.Settings.AdminSocket));
        await socket.SendAsync(Encoding.ASCII.GetBytes("POST /v1/volumes HTTP/1.1\r\nHost: volman\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"));
        var buffer = new byte[4096];
        var length = await socket.ReceiveAsync(buffer).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.StartsWith("HTTP/1.1 408 ", Encoding.ASCII.GetString(buffer, 0, length), StringComparison.Ordinal);
        Assert.Equal("", (await _host.Engine.GetAsync("kept")).Err);
    }

    [Fact]
    public async Task What_has_not_changed_is_not_sent_again_and_what_has_is_not_removed()
    {
        using var http = new HttpClient(new SocketsHttpHandler { ConnectCallback = (_, cancellation) => AdminLink.ConnectAsync(_host.Settings.AdminSocket, cancellation) }) { BaseAddress = new Uri("http://volman") };
        Assert.Equal("", await _host.Engine.CreateAsync("tagged"));
        foreach (var path in new[] { "/v1/volumes", "/v1/volumes/tagged", "/v1/mounts", "/v1/openapi.json" })
        {
            using var first = await http.GetAsync(new Uri(path, UriKind.Relative));
            using var again = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { IfNoneMatch = { first.Headers.ETag! } } };
            using var answer = await http.SendAsync(again);
            Assert.Equal((HttpStatusCode.NotModified, ""), (answer.StatusCode, await answer.Content.ReadAsStringAsync()));
            Assert.Equal(first.Headers.ETag, answer.Headers.ETag);
        }

        using var seen = await http.GetAsync(new Uri("/v1/volumes/tagged", UriKind.Relative));
        Assert.Equal("", await _host.Engine.MountAsync("tagged", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("tagged", "x"));
        async Task<HttpStatusCode> RemoveAsync(EntityTagHeaderValue tag)
        {
            using var request = new HttpRequestMessage(HttpMethod.Delete, "/v1/volumes/tagged") { Headers = { IfMatch = { tag } } };
            using var answer = await http.SendAsync(request);
            return answer.StatusCode;
        }

        Assert.Equal(HttpStatusCode.PreconditionFailed, await RemoveAsync(new EntityTagHeaderValue("\"other\"")));
        Assert.Equal("", (await _host.Engine.GetAsync("tagged")).Err);
        using var now = await http.GetAsync(new Uri("/v1/volumes/tagged", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, await RemoveAsync(now.Headers.ETag!));
    }

    [Fact]
    public async Task Lists_come_in_pages_that_miss_nothing_and_tell_nothing_twice()
    {
        for (var i = 0; i < 7; i++)
        {
            Assert.Equal("", await _host.Engine.CreateAsync($"page{i}"));
            Assert.Equal("", await _host.Engine.MountAsync($"page{i}", "a"));
            Assert.Equal("", await _host.Engine.MountAsync($"page{i}", "b/c"));
            Assert.Equal("", await _host.Engine.CreateAsync($"thrown{i}"));
            Assert.Equal("", await _host.Engine.RemoveAsync($"thrown{i}"));
        }

        foreach (var (path, list) in new[] { ("volumes", "volumes"), ("mounts", "mounts"), ("trash", "volumes"), ("events", "events") })
        {
            var all = (await _operator.SendAsync("GET", $"/v1/{path}?limit=5000")).Json;
            Assert.Equal(JsonValueKind.Null, all.GetProperty("next").ValueKind);
            var paged = new List<string>();
            string? after = null;
            do
            {
                var page = await _operator.SendAsync("GET", $"/v1/{path}?limit=3{(after is null ? "" : "&after=" + Uri.EscapeDataString(after))}");
                Assert.Equal(200, page.Status);
                var items = page.Json.GetProperty(list).EnumerateArray().Select(item => item.ToString()).ToList();
                Assert.InRange(items.Count, 1, 3);
                paged.AddRange(items);
                after = page.Json.GetProperty("next").GetString();
            }
            while (after is not null);
            Assert.True(paged.Count >= 7);
            Assert.Equal(all.GetProperty(list).EnumerateArray().Select(item => item.ToString()), paged);
            if (path != "volumes") Assert.Equal(400, (await _operator.SendAsync("GET", $"/v1/{path}?after=nonsense")).Status);
        }
    }
}
