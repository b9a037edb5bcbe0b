using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Commands;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>The admin API over TLS: who is let in, what they may, how often, and that the engine's socket goes on whatever comes.</summary>
public sealed class RemoteAdminTests(RemoteHost remote) : IClassFixture<RemoteHost>
{
    readonly TestHost _host = remote.Host;

    [Fact]
    public async Task A_viewer_asks_an_operator_changes_and_nobody_makes_tokens_from_afar()
    {
        var (viewer, ops) = ($"Bearer {await remote.TokenAsync("eyes", "viewer")}", $"Bearer {await remote.TokenAsync("ops", "operator")}");
        foreach (var path in new[] { "/v1/status", "/v1/volumes", "/v1/mounts", "/v1/trash", "/v1/events", "/v1/hosts", "/v1/openapi.json" }) Assert.Equal(200, (await remote.SendAsync("GET", path, viewer)).Status);
        var refused = await remote.SendAsync("POST", "/v1/volumes", viewer, """{"name": "far"}""");
        Assert.Equal((403, "Bearer realm=\"volman\", error=\"insufficient_scope\", scope=\"operator\""), (refused.Status, refused.Headers.WwwAuthenticate.ToString()));
        Assert.Equal("token eyes has the role viewer, and POST /v1/volumes is for the role operator", refused.Detail);
        Assert.Equal(200, (await remote.SendAsync("POST", "/v1/volumes", ops, """{"name": "far"}""")).Status);
        Assert.Equal(200, (await remote.SendAsync("DELETE", "/v1/volumes/far", ops)).Status);
        foreach (var (method, path) in new[] { ("GET", "/v1/tokens"), ("DELETE", "/v1/tokens/eyes") }) Assert.Equal(403, (await remote.SendAsync(method, path, ops)).Status);
        Assert.Equal(403, (await remote.SendAsync("POST", "/v1/tokens", ops, """{"name": "child", "role": "operator"}""")).Status);
        // Not the engine's routes either.
        Assert.Equal(404, (await remote.SendAsync("POST", "/VolumeDriver.List", ops, "{}")).Status);
        var events = await _host.OpenCatalog().Events.Where(e => e.VolumeName == "far").OrderBy(e => e.Id).Select(e => $"{e.Kind} {e.Actor}").ToListAsync();
        Assert.Equal(["create token ops", "remove token ops"], events);
    }

    [Fact]
    public async Task Without_a_token_or_with_a_wrong_one_nothing_is_told()
    {
        var good = await remote.TokenAsync("good", "viewer");
        var none = await remote.SendAsync("GET", "/v1/nothing", null, from: "127.0.1.1");
        Assert.Equal((401, "Bearer realm=\"volman\""), (none.Status, none.Headers.WwwAuthenticate.ToString()));
        foreach (var wrong in new[] { "Bearer", "Bearer x", $"Basic {good}", $"Bearer {good}x", $"Bearer {good[..^1]}{(good[^1] == 'A' ? 'B' : 'A')}", $"Bearer {good.ToUpperInvariant()}", $"Bearer {AccessToken.HashOf(good)}", $"Bearer {new string('x', 4000)}" })
        {
            var reply = await remote.SendAsync("GET", "/v1/status", wrong, from: "127.0.1.1");
            Assert.Equal((401, "Bearer realm=\"volman\", error=\"invalid_token\""), (reply.Status, reply.Headers.WwwAuthenticate.ToString()));
            Assert.Equal("this token is not known, has expired or was revoked: see volman token ls", reply.Detail);
        }

        // Neither in the address nor twice.
        Assert.Equal(401, (await remote.SendAsync("GET", $"/v1/status?access_token={good}", null, from: "127.0.1.1")).Status);
        Assert.Equal(200, (await remote.SendAsync("GET", "/v1/status", $"bearer {good}", from: "127.0.1.1")).Status);
    }

    [Fact]
    public async Task An_expired_token_opens_nothing_and_a_revoked_one_nothing_soon()
    {
        var token = await remote.TokenAsync("short", "viewer");
        Assert.Equal(200, (await remote.SendAsync("GET", "/v1/status", $"Bearer {token}", from: "127.0.1.2")).Status);
        Assert.Equal(200, (await remote.Root.SendAsync("DELETE", "/v1/tokens/short")).Status);
        Assert.Equal(404, (await remote.Root.SendAsync("DELETE", "/v1/tokens/short")).Status);
        remote.Clock.Advance(Timings.Real.TokenCache);
        Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", $"Bearer {token}", from: "127.0.1.2")).Status);

        var made = await remote.Root.SendAsync("POST", "/v1/tokens", $$"""{"name": "brief", "role": "viewer", "expires_at": "{{DateTime.UtcNow.AddSeconds(3):O}}"}""");
        var brief = $"Bearer {made.Json.GetProperty("token").GetString()}";
        Assert.Equal(200, (await remote.SendAsync("GET", "/v1/status", brief, from: "127.0.1.2")).Status);
        await Poll.UntilAsync("the token has expired, though it is known", async () => (await remote.SendAsync("GET", "/v1/status", brief, from: "127.0.1.2")).Status == 401);
        Assert.Equal(["token-create root (uid 0)", "token-remove root (uid 0)"], await _host.OpenCatalog().Events.Where(e => e.Detail!.StartsWith("token short")).OrderBy(e => e.Id).Select(e => $"{e.Kind} {e.Actor}").ToListAsync());
    }

    [Fact]
    public async Task Tokens_are_written_down_as_hashes_alone()
    {
        var token = await remote.TokenAsync("hashed", "viewer");
        Assert.Matches("^volman_[A-Za-z0-9_-]{43}$", token);
        await using var catalog = _host.OpenCatalog();
        var row = await catalog.AccessTokens.SingleAsync(t => t.Name == "hashed");
        Assert.Equal((AccessToken.HashOf(token), "viewer", "root (uid 0)"), (row.Hash, row.Role, row.CreatedBy));
        var listed = await remote.Root.SendAsync("GET", "/v1/tokens");
        Assert.DoesNotContain(row.Hash, listed.Json.ToString(), StringComparison.Ordinal);
        Assert.Equal(409, (await remote.Root.SendAsync("POST", "/v1/tokens", """{"name": "hashed", "role": "operator"}""")).Status);
        foreach (var wrong in new[] { """{"name": "../x", "role": "viewer"}""", """{"name": "x", "role": "root"}""", """{"name": "x"}""", """{"name": "x", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}""" })
        {
            Assert.Equal(400, (await remote.Root.SendAsync("POST", "/v1/tokens", wrong)).Status);
        }
    }

    [Fact]
    public async Task Who_guesses_has_to_wait_and_who_is_known_at_that_address_goes_on()
    {
        // The known token is not read again while the others guess: the clock stands still.
        var known = $"Bearer {await remote.TokenAsync("known", "viewer")}";
        Assert.Equal(200, (await remote.SendAsync("GET", "/v1/status", known, from: "127.0.1.3")).Status);
        RemoteHost.Reply last = null!;
        for (var i = 0; i < 12; i++) last = await remote.SendAsync("GET", "/v1/status", $"Bearer {AccessToken.Make()}", from: "127.0.1.3");
        Assert.Equal(429, last.Status);
        Assert.InRange(last.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal(200, (await remote.SendAsync("GET", "/v1/status", known, from: "127.0.1.3")).Status);
        Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", $"Bearer {AccessToken.Make()}", from: "127.0.1.4")).Status);
    }

    [Fact]
    public async Task Who_asks_too_often_has_to_wait_and_the_engine_need_not()
    {
        using var http = remote.Client("127.0.1.5");
        http.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", $"Bearer {await remote.TokenAsync("eager", "viewer")}");
        var statuses = new List<HttpStatusCode>();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        // Several at once: on a busy machine one after the other would not be too often.
        while (statuses.Count < 4000 && !statuses.Contains(HttpStatusCode.TooManyRequests))
        {
            foreach (var answer in await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => http.GetAsync(new Uri("/v1/status", UriKind.Relative)))))
            {
                statuses.Add(answer.StatusCode);
                if (answer.StatusCode == HttpStatusCode.TooManyRequests) Assert.NotNull(answer.Headers.RetryAfter);
                answer.Dispose();
            }
        }

        Assert.Contains(HttpStatusCode.TooManyRequests, statuses);
        // A hundred at once, and 25 more each second, however long the questions took.
        Assert.InRange(statuses.Count(status => status == HttpStatusCode.OK), 100, 100 + 25 * ((int)clock.Elapsed.TotalSeconds + 2));
        Assert.Equal(200, (await remote.Root.SendAsync("GET", "/v1/status")).Status);
        Assert.Equal("", await _host.Engine.CreateAsync("beside"));
    }

    [Fact]
    public async Task Plain_HTTP_and_old_TLS_are_not_spoken()
    {
        using var plain = await remote.ConnectAsync("127.0.1.6");
        await plain.SendAsync(Encoding.ASCII.GetBytes("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"));
        var answer = new byte[4096];
        var length = 0;
        try
        {
            length = await plain.ReceiveAsync(answer).WaitAsync(TimeSpan.FromMinutes(2));
        }
        catch (SocketException)
        {
            // Closed at once.
        }

        Assert.DoesNotContain("HTTP/1.1 200", Encoding.ASCII.GetString(answer, 0, length), StringComparison.Ordinal);
#pragma warning disable SYSLIB0039, CA5397, CA5359, CA5398 // That it is refused is what is tested.
        using var old = new SslStream(new NetworkStream(await remote.ConnectAsync("127.0.1.6"), ownsSocket: true), leaveInnerStreamOpen: false, (_, _, _, _) => true);
        await Assert.ThrowsAnyAsync<Exception>(() => old.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "volman", EnabledSslProtocols = SslProtocols.Tls11 }));
        using var good = new SslStream(new NetworkStream(await remote.ConnectAsync("127.0.1.6"), ownsSocket: true), leaveInnerStreamOpen: false, (_, _, _, _) => true);
        await good.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "volman", EnabledSslProtocols = SslProtocols.Tls12 });
#pragma warning restore SYSLIB0039, CA5397, CA5359, CA5398
        Assert.Equal(SslProtocols.Tls12, good.SslProtocol);
    }

    [Fact]
    public async Task Connections_that_say_nothing_are_bounded_and_keep_nobody_else_waiting()
    {
        var idle = new List<Socket>();
        for (var i = 0; i < 24; i++) idle.Add(await remote.ConnectAsync("127.0.1.7"));
        // The ones over the bound are closed.
        await Poll.UntilAsync("8 connections are closed", () => idle.Count(s => s.Poll(0, SelectMode.SelectRead) && s.Available == 0) >= 24 - 16);
        Assert.Equal("", await _host.Engine.CreateAsync("unhindered"));
        Assert.Equal(401, (await remote.SendAsync("GET", "/v1/status", null, from: "127.0.1.8")).Status);
        foreach (var socket in idle) socket.Dispose();
    }

    [Fact]
    public async Task The_commands_ask_a_daemon_from_afar()
    {
        var token = await remote.TokenAsync("commands", "operator");
        string[] there = ["--admin-url", $"https://{remote.Address}", "--admin-ca", remote.Tls.Authority];
        var variables = new Dictionary<string, string> { ["VOLMAN_TOKEN"] = token };
        Assert.Equal(0, (await VolmanProcess.RunAsync(["volume", "create", "commanded", .. there], variables)).ExitCode);
        Assert.Contains("commanded", (await VolmanProcess.RunAsync(["volume", "ls", .. there], variables)).Output, StringComparison.Ordinal);
        Assert.Contains("token commands", (await VolmanProcess.RunAsync(["event", "ls", "--volume", "commanded", .. there], variables)).Output, StringComparison.Ordinal);
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, token + "\n");
        Assert.Equal(0, (await VolmanProcess.RunAsync(["status", "--token-file", file, .. there], null)).ExitCode);
        await File.WriteAllTextAsync(file, "my secret");
        VolmanProcess.AssertRefused($"{file} holds no token of volman token create, which begins with volman_: put one there", await VolmanProcess.RunAsync(["status", "--token-file", file, .. there], null));
        File.Delete(file);
        VolmanProcess.AssertRefused(".* wants a token: put one into VOLMAN_TOKEN, or name its file with --token-file; volman token create makes one", await VolmanProcess.RunAsync(["status", .. there], null));
        VolmanProcess.AssertRefused("the volman at https://127.0.0.1:[0-9]+ is not trusted .*: name the certificate of its authority with --admin-ca, .*", await VolmanProcess.RunAsync(["status", .. there[..2]], variables));
        VolmanProcess.AssertRefused("no volman answers at https://127.0.0.1:1: see to its setting admin-listen, or name another with --admin-url", await VolmanProcess.RunAsync(["status", "--admin-url", "https://127.0.0.1:1"], variables));
    }

    [Fact]
    public async Task A_certificate_that_is_missing_or_not_its_keys_keeps_the_daemon_from_starting()
    {
        using var other = new TestCertificate();
        var free = new IPEndPoint(IPAddress.Loopback, 1);
        foreach (var (certificate, key, why) in new[]
        {
            ("/nowhere.pem", "", "admin-tls-certificate /nowhere.pem cannot be read .*, and the admin API is not served without TLS: name a PEM file, or leave admin-listen out"),
            (remote.Tls.Certificate, other.Key, "admin-tls-certificate .* and its key .* cannot be used .*: name PEM files of a certificate and of its own key, without a password"),
            (remote.Tls.Certificate, "", "admin-tls-certificate .* and its key .* cannot be used .*"),
            ("/etc/passwd", remote.Tls.Key, "admin-tls-certificate /etc/passwd and its key .* cannot be used .*"),
        })
        {
            await using var host = new TestHost();
            host.Settings = host.Settings with { AdminListen = free, AdminTlsCertificate = certificate, AdminTlsKey = key };
            var error = await Assert.ThrowsAsync<VolumeException>(() => ServeCommand.RunAsync(host.Settings, new LogSettings { Level = LogLevel.None }, CancellationToken.None));
            Assert.Matches($"^{why}$", error.Message);
            Assert.False(File.Exists(host.Settings.AdminSocket) || File.Exists(host.Settings.Socket));
        }

        await using var taken = new TestHost();
        taken.Settings = taken.Settings with { AdminListen = remote.Address, AdminTlsCertificate = remote.Tls.Certificate, AdminTlsKey = remote.Tls.Key };
        var refusal = await Assert.ThrowsAsync<VolumeException>(() => ServeCommand.RunAsync(taken.Settings, new LogSettings { Level = LogLevel.None }, CancellationToken.None));
        Assert.Matches($"^admin-listen {remote.Address} cannot be used \\(.*\\): choose an address of this host and a port that is free$", refusal.Message);
        Assert.False(File.Exists(taken.Settings.AdminSocket) || File.Exists(taken.Settings.Socket));
    }
}
