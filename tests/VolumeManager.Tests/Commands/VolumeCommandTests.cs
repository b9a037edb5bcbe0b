using System.Text.Json;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Commands;

/// <summary><c>volman volume</c> and <c>volman mount</c> as an operator runs them, and the routes that they ask.</summary>
[Trait("Catalog", "any")]
public sealed class VolumeCommandTests : IAsyncLifetime, IAsyncDisposable
{
    readonly TestHost _host = new();

    public Task InitializeAsync() => _host.StartAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    async Task<string> DoneAsync(params string[] arguments)
    {
        var ended = await VolmanProcess.RunAsync([.. arguments, "--admin-socket", _host.Settings.AdminSocket], null);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        return ended.Output;
    }

    async Task RefusedAsync(string expected, params string[] arguments) =>
        VolmanProcess.AssertRefused(expected, await VolmanProcess.RunAsync([.. arguments, "--admin-socket", _host.Settings.AdminSocket], null));

    [Fact]
    public async Task A_volume_is_made_found_used_and_removed()
    {
        Assert.Equal($"Volume shop is at {_host.DataOf("shop")}.\n", await DoneAsync("volume", "create", "shop", "-o", "size=10G", "-o", "label.team=web", "--opt", "mode=0750"));
        Assert.Equal($"Volume logs is at {_host.DataOf("logs")}.\n", await DoneAsync("volume", "create", "logs"));
        Assert.Equal("", await _host.Engine.MountAsync("shop", "caller"));
        Assert.Equal("", await _host.Engine.MountAsync("shop", "caller"));

        var table = (await DoneAsync("volume", "ls")).Split('\n');
        Assert.Matches("^NAME +STATE +USED +SIZE +ACCESS +USED ON +SOURCE$", table[0]);
        Assert.Matches($"^logs +ready +shared +{_host.DataOf("logs")}$", table[1]);
        Assert.Matches($"^shop +ready +10G +shared +test-host +{_host.DataOf("shop")}$", table[2]);
        Assert.Equal(["shop"], Names(await DoneAsync("volume", "ls", "--label", "team=web", "--output", "json")));
        Assert.Equal(["shop"], Names(await DoneAsync("volume", "ls", "--label", "team", "--host", "test-host", "--output", "json")));
        Assert.Empty(Names(await DoneAsync("volume", "ls", "--label", "team=we", "--output", "json")));
        Assert.Empty(Names(await DoneAsync("volume", "ls", "--host", "nobody", "--output", "json")));

        var shop = JsonDocument.Parse(await DoneAsync("volume", "inspect", "shop")).RootElement;
        Assert.Equal(("shop", 10L << 30, "web"), (shop.GetProperty("name").GetString(), shop.GetProperty("size_bytes").GetInt64(), shop.GetProperty("labels").GetProperty("team").GetString()));
        var holder = Assert.Single(shop.GetProperty("holders").EnumerateArray());
        Assert.Equal(("test-host", 1, 2), (holder.GetProperty("host").GetString(), holder.GetProperty("callers").GetInt32(), holder.GetProperty("mounts").GetInt32()));
        Assert.Matches("\nshop +test-host +20.+Z +2 +caller\n$", await DoneAsync("mount", "ls", "--volume", "shop"));
        Assert.Equal("[]\n", await DoneAsync("mount", "ls", "--volume", "logs", "--output", "json"));

        await RefusedAsync("volume shop is in use on host test-host .+", "volume", "rm", "shop");
        Assert.Equal("", await _host.Engine.UnmountAsync("shop", "caller"));
        Assert.Equal("", await _host.Engine.UnmountAsync("shop", "caller"));
        Assert.Equal(
            "Volume shop is removed; volman volume restore shop brings it back until the trash is emptied.\nVolume logs is removed; volman volume restore logs brings it back until the trash is emptied.\n",
            await DoneAsync("volume", "rm", "shop", "logs"));
        Assert.Empty(await _host.Engine.ListAsync());
    }

    [Fact]
    public async Task What_is_wrong_is_told_in_a_sentence()
    {
        await RefusedAsync("no such volume: nobody", "volume", "inspect", "nobody");
        await RefusedAsync("no such volume: nobody", "volume", "rm", "nobody");
        await RefusedAsync("(?=.*colour).+", "volume", "create", "v", "-o", "colour=red");
        await RefusedAsync("the option size is given twice: give it once", "volume", "create", "v", "-o", "size=1G", "-o", "size=2G");
        foreach (var wrong in new string[][] { ["volume", "create", "../v"], ["volume", "create", "v", "-o", "size"], ["volume", "rm"], ["volume", "inspect"], ["volume", "ls", "--output", "xml"], ["mount"] })
        {
            Assert.Equal(2, (await VolmanProcess.RunAsync(wrong)).ExitCode);
        }

        Assert.Empty(await _host.Engine.ListAsync());
    }

    [Fact]
    public async Task Pages_follow_each_other_in_the_order_of_names()
    {
        foreach (var name in new[] { "b", "a", "c", "B" }) Assert.Equal("", await _host.Engine.CreateAsync(name));
        using var asks = Admin.OperatorClient.Of(_host);
        var first = (await asks.SendAsync("GET", "/v1/volumes?limit=3")).Json;
        Assert.Equal(["B", "a", "b"], first.GetProperty("volumes").EnumerateArray().Select(v => v.GetProperty("name").GetString()));
        Assert.Equal("b", first.GetProperty("next").GetString());
        var last = (await asks.SendAsync("GET", "/v1/volumes?limit=3&after=b")).Json;
        Assert.Equal(["c"], last.GetProperty("volumes").EnumerateArray().Select(v => v.GetProperty("name").GetString()));
        Assert.Equal(JsonValueKind.Null, last.GetProperty("next").ValueKind);
        foreach (var wrong in new[] { "limit=0", "limit=x", "limit=10001", "name=a", "label=", "host=a&host=b" }) Assert.Equal(400, (await asks.SendAsync("GET", "/v1/volumes?" + wrong)).Status);
        Assert.Equal((404, "no such volume: nobody"), ((await asks.SendAsync("GET", "/v1/volumes/nobody")).Status, (await asks.SendAsync("DELETE", "/v1/volumes/nobody")).Detail));
        Assert.Equal(400, (await asks.SendAsync("POST", "/v1/volumes", """{"name":"../x"}""")).Status);
        Assert.Equal(400, (await asks.SendAsync("POST", "/v1/volumes", """{"options":{}}""")).Status);
    }

    static IEnumerable<string?> Names(string json) => JsonDocument.Parse(json).RootElement.EnumerateArray().Select(v => v.GetProperty("name").GetString());
}
