using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Docker;

/// <summary>protocol.md 8, 12, 13 and 45: many connections, slow ones, and callers who go before they are answered.</summary>
public sealed class ConnectionTests : IAsyncLifetime
{
    TestHost _host = null!;

    public async Task InitializeAsync()
    {
        _host = await TestHost.StartNewAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
    }

    public async Task DisposeAsync() => await _host.DisposeAsync();

    [Fact]
    public async Task Two_hundred_Gets_at_once_are_answered_each_its_own()
    {
        var names = Enumerable.Range(0, 20).Select(i => $"v{i}").ToList();
        foreach (var name in names) Assert.Equal("", await _host.Engine.CreateAsync(name));
        var asked = Enumerable.Range(0, 200).Select(i => names[i % names.Count]).ToList();
        var replies = await Task.WhenAll(asked.Select(name => _host.Engine.GetAsync(name)));
        Assert.Equal(asked, replies.Select(r => r.Json.GetProperty("Volume").GetProperty("Name").GetString()!));
    }

    [Fact]
    public async Task A_request_that_comes_in_small_pieces_is_understood()
    {
        using var socket = await _host.Engine.ConnectAsync();
        var request = PluginClient.Request("/VolumeDriver.Create", """{"Name":"slow","Opts":{"mode":"0700","label.l":"é"}}""");
        foreach (var piece in request.Chunk(7))
        {
            await socket.SendAsync(piece);
            await Task.Delay(5);
        }

        Assert.Equal("", (await PluginClient.ReceiveAsync(socket)).Err);
        Assert.Equal("é", (await _host.Engine.GetAsync("slow")).Json.GetProperty("Volume").GetProperty("Status").GetProperty("Labels").GetProperty("l").GetString());
    }

    [Fact]
    public async Task A_Mount_whose_caller_is_gone_is_undone()
    {
        await CallAndGoAsync("Mount", Enumerable.Range(0, 100).Select(i => $"gone{i}"));
        // The volume's lock is fair: this call comes when all those before it have had their turn.
        Assert.Equal("", await _host.Engine.MountAsync("v", "last"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "last"));
        await Poll.UntilAsync("no caller that is gone holds the volume", async () => await _host.CountMountRowsAsync() == 0);
        Assert.Empty(_host.KernelMounts());
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
    }

    [Fact]
    public async Task A_Mount_whose_caller_goes_while_the_catalog_is_slow_is_undone()
    {
        await _host.Engine.MountAsync("v", "stays");
        await using (await _host.LockCatalogAsync()) await CallAndGoAsync("Mount", ["stays", "x", "y"], stay: TimeSpan.FromMilliseconds(300));
        Assert.Equal("", await _host.Engine.MountAsync("v", "last"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "last"));
        await Poll.UntilAsync("only the caller that stays holds the volume, and once", async () => await _host.MountRowsAsync("v") == "stays=1");
        Assert.Equal(["v"], _host.KernelMounts());
    }

    [Fact]
    public async Task An_Unmount_whose_caller_goes_while_the_catalog_is_slow_is_done_all_the_same()
    {
        // The engine mounts again with the same id, or never comes back to it: what is not taken back now is never taken back.
        foreach (var id in new[] { "x", "y", "z" }) await _host.Engine.MountAsync("v", id);
        await using (await _host.LockCatalogAsync()) await CallAndGoAsync("Unmount", ["x", "y", "z"], stay: TimeSpan.FromMilliseconds(300));
        await Poll.UntilAsync("every Unmount that was sent is done", async () => await _host.CountMountRowsAsync() == 0);
        Assert.Empty(_host.KernelMounts());
    }

    [Fact]
    public async Task A_Create_whose_caller_is_gone_is_whole_or_not_there()
    {
        var names = Enumerable.Range(0, 50).Select(i => $"gone{i}").ToList();
        await SendAndGoAsync("Create", names.Select(name => $$$"""{"Name":"{{{name}}}","Opts":{"mode":"0700"}}"""));
        await _host.StopAsync();
        await _host.StartAsync();
        var listed = await _host.Engine.ListAsync();
        Assert.Equal(listed, Directory.GetDirectories(_host.Settings.DataRoot).Select(Path.GetFileName).Where(n => n != ".trash").Order(StringComparer.Ordinal));
    }

    Task CallAndGoAsync(string verb, IEnumerable<string> ids, TimeSpan stay = default) => SendAndGoAsync(verb, ids.Select(id => $$"""{"Name":"v","ID":"{{id}}"}"""), stay);

    /// <summary>All are sent before the first caller goes: the most of them go while they wait for their turn.</summary>
    async Task SendAndGoAsync(string verb, IEnumerable<string> bodies, TimeSpan stay = default)
    {
        var callers = new List<Socket>();
        foreach (var body in bodies)
        {
            callers.Add(await _host.Engine.ConnectAsync());
            await callers[^1].SendAsync(PluginClient.Request("/VolumeDriver." + verb, body));
        }

        await Task.Delay(stay);
        callers.ForEach(c => c.Dispose());
        await Task.Delay(stay);
    }
}
