using System.Text.Json;
using VolumeManager.Tests.Clusters;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Docker;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>The history over the admin API: its filters, and who asked for what.</summary>
public sealed class EventTests(RunningHost running) : IClassFixture<RunningHost>, IDisposable
{
    readonly TestHost _host = running.Host;
    readonly OperatorClient _operator = OperatorClient.Of(running.Host);

    public void Dispose() => _operator.Dispose();

    static async Task<List<string>> ToldAsync(OperatorClient asked, string filters)
    {
        var reply = await asked.SendAsync("GET", $"/v1/events?{filters}");
        Assert.Equal(200, reply.Status);
        return [.. reply.Json.GetProperty("events").EnumerateArray().Reverse().Select(e => $"{e.GetProperty("kind")}{(e.GetProperty("error").ValueKind == JsonValueKind.Null ? "" : "!")} {e.GetProperty("actor")}".TrimEnd())];
    }

    [Fact]
    public async Task What_is_asked_over_the_socket_has_a_name_and_what_an_engine_asks_has_none()
    {
        Assert.Equal(200, (await _operator.SendAsync("POST", "/v1/volumes", """{"name": "asked"}""")).Status);
        Assert.Equal("", await _host.Engine.MountAsync("asked", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("asked", "x"));
        Assert.Equal(200, (await _operator.SendAsync("DELETE", "/v1/volumes/asked")).Status);
        Assert.Equal(200, (await _operator.RestoreAsync("asked")).Status);
        Assert.Equal("", await _host.Engine.RemoveAsync("asked"));
        Assert.Equal("", await _host.Engine.CreateAsync("asked"));
        Assert.Equal(409, (await _operator.RestoreAsync("asked")).Status);
        Assert.Equal(200, (await _operator.SendAsync("DELETE", "/v1/trash/asked")).Status);
        string[] expected =
        [
            "create root (uid 0)", "attach", "mount", "unmount", "remove root (uid 0)", "restore root (uid 0)", "remove", "create", "restore! root (uid 0)", "purge-order root (uid 0)", "purge",
        ];
        await Poll.UntilAsync(string.Join(", ", expected), async () => (await ToldAsync(_operator, "volume=asked")).Order().SequenceEqual(expected.Order()));
    }

    [Fact]
    public async Task Events_are_found_by_time_kind_volume_host_and_failure()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("found"));
        Assert.NotEqual("", await _host.Engine.MountAsync("nobody-made-it", "x"));
        await Task.Delay(40);
        Assert.Equal("", await _host.Engine.RemoveAsync("found"));
        await Poll.UntilAsync("the refusal is told", async () => (await ToldAsync(_operator, "volume=nobody-made-it")).Count == 1);
        Assert.Equal(["create", "remove"], await ToldAsync(_operator, "volume=found"));
        // In a cluster these are the database's times, which this host knows but by half a round trip: our own clock may say otherwise.
        var times = (await _operator.SendAsync("GET", "/v1/events?volume=found")).Json.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("at").GetDateTime()).Order().ToArray();
        var (before, between) = (times[0].AddMilliseconds(-1), times[0] + ((times[1] - times[0]) / 2));
        Assert.Equal(["create"], await ToldAsync(_operator, "volume=found&kind=create"));
        Assert.Equal(["create"], await ToldAsync(_operator, $"volume=found&since={before:O}&until={between:O}"));
        Assert.Equal(["remove"], await ToldAsync(_operator, $"volume=found&since={between:O}"));
        Assert.Equal(["mount!"], await ToldAsync(_operator, $"failed=true&since={before:O}"));
        Assert.Equal([], await ToldAsync(_operator, "volume=found&host=elsewhere"));
        Assert.Equal(2, (await ToldAsync(_operator, $"volume=found&host={_host.Settings.HostName}")).Count);

        var listed = await VolmanProcess.RunAsync("event", "ls", "--volume", "found", "--since", "1h", "--admin-socket", _host.Settings.AdminSocket);
        Assert.Equal((0, ""), (listed.ExitCode, listed.Errors));
        Assert.Matches("^AT +HOST +KIND +VOLUME +BY +WHAT\n.* create .*\n.* remove .*\n$", listed.Output);
        foreach (var wrong in new[] { ("--since", "yesterday"), ("--limit", "0"), ("--until", "2026-13-01T00:00:00Z") }) Assert.Equal(2, (await VolmanProcess.RunAsync("event", "ls", wrong.Item1, wrong.Item2)).ExitCode);
    }

    [Fact]
    public async Task A_host_is_evicted_over_the_socket_of_another_and_the_history_has_who_did_it()
    {
        await using var cluster = await TestCluster.StartNewAsync(2);
        using var asked = OperatorClient.Of(cluster[1]);
        Assert.Equal("", await cluster[0].Engine.CreateAsync("single", new Dictionary<string, string> { ["access"] = "single-host" }));
        Assert.Equal("", await cluster[0].Engine.MountAsync("single", "x"));
        Assert.Equal(409, (await asked.SendAsync("POST", "/v1/hosts/host-0/evict")).Status);
        Assert.Equal(404, (await asked.SendAsync("POST", "/v1/hosts/nobody/evict")).Status);
        await cluster.CutAsync(0);
        await cluster.ExpireLeaseAsync(0);
        var evicted = await asked.SendAsync("POST", "/v1/hosts/host-0/evict", """{"force": false}""");
        Assert.Equal((200, 1, "single"), (evicted.Status, evicted.Json.GetProperty("mounts").GetInt32(), evicted.Json.GetProperty("exclusive_volumes")[0].GetString()));
        Assert.Equal(["host-evict root (uid 0)", "host-evict root (uid 0)"], await ToldAsync(asked, "kind=host-evict"));
        var hosts = (await asked.SendAsync("GET", "/v1/hosts")).Json.GetProperty("hosts").EnumerateArray().Select(h => $"{h.GetProperty("name")} {h.GetProperty("state")} {h.GetProperty("mounts")}");
        Assert.Equal(["host-1 live 0", "host-0 evicted 0"], hosts);
    }

    [Fact]
    public async Task While_the_catalog_is_away_a_token_that_was_seen_in_the_last_hour_still_reads_and_changes_nothing()
    {
        await using var cluster = await TestCluster.StartNewAsync(1, start: false);
        var remote = new RemoteHost(cluster[0]);
        await remote.InitializeAsync();
        var (seen, unseen) = (await remote.TokenAsync("seen", "operator"), await remote.TokenAsync("unseen", "operator"));
        async Task<int> StatusAsync(string method, string path, string token) => (await remote.SendAsync(method, path, $"Bearer {token}")).Status;
        Assert.Equal(200, await StatusAsync("GET", "/v1/volumes", seen));
        await cluster.CutAsync(0);
        Assert.Equal(503, await StatusAsync("GET", "/v1/volumes", unseen));
        Assert.Equal(200, await StatusAsync("GET", "/v1/volumes", seen));
        remote.Clock.Advance(Timings.Real.TokenCache);
        Assert.Equal(200, await StatusAsync("GET", "/v1/volumes", seen));
        Assert.Equal(503, await StatusAsync("DELETE", "/v1/trash", seen));
        remote.Clock.Advance(Timings.Real.TokenAway);
        Assert.Equal(503, await StatusAsync("GET", "/v1/volumes", seen));
        await cluster.HealAsync(0);
        Assert.Equal(200, await StatusAsync("DELETE", "/v1/trash", seen));
        Assert.Equal(200, await StatusAsync("GET", "/v1/volumes", unseen));
        remote.Root.Dispose();
        remote.Tls.Dispose();
    }
}
