using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Commands;

/// <summary>What people see at a terminal, which script(1) is here: colours, progress and questions; and that programs see none of it.</summary>
[Trait("Catalog", "any")]
public sealed class TerminalTests : IAsyncLifetime, IAsyncDisposable
{
    readonly TestHost _host = new();

    public Task InitializeAsync() => _host.StartAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    Task<string> OnTerminalAsync(string arguments, string before = "", string environment = "TERM=xterm-256color") => Command.OutputOfAsync(
        "sh", "-c", $"{before} env -u NO_COLOR {environment} VOLMAN_ADMIN_SOCKET={_host.Settings.AdminSocket} script -qec '{string.Join(' ', VolmanProcess.Program)} {arguments}' /dev/null");

    Task<VolmanProcess.Ended> PipedAsync(params string[] arguments) => VolmanProcess.RunAsync([.. arguments, "--admin-socket", _host.Settings.AdminSocket], null);

    [Fact]
    public async Task Colours_are_for_terminals_that_want_them()
    {
        Assert.Contains("\e[32min touch\e[0m", await OnTerminalAsync("status", ": |"), StringComparison.Ordinal);
        Assert.DoesNotContain("\e[3", await OnTerminalAsync("status", ": |", "TERM=xterm-256color NO_COLOR=1"), StringComparison.Ordinal);
        Assert.DoesNotContain('\e', (await PipedAsync("status")).Output);
    }

    [Fact]
    public async Task What_takes_long_shows_how_far_it_is_and_ends_in_a_sentence()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        await Command.OutputOfAsync("sh", "-ec", $"cd '{_host.DataOf("v")}'; for i in $(seq 6000); do : > f$i; done");
        var seen = await OnTerminalAsync("volume clone v w", ": |");
        Assert.Matches("(copying|verifying) [0-9,]+( of [0-9,]+)? files", seen);
        Assert.Contains($"Volume w is at {_host.DataOf("w")}.", seen, StringComparison.Ordinal);
        Assert.Equal(new VolmanProcess.Ended(0, $"Volume x is at {_host.DataOf("x")}.\n", ""), await PipedAsync("volume", "clone", "v", "x"));
        var json = await PipedAsync("volume", "clone", "v", "y", "--output", "json");
        Assert.StartsWith("{\"phase\":\"done\",", json.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_destroys_asks_and_waits_when_told()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["on-remove"] = "delete" }));
        Assert.Equal("", await _host.Engine.CreateAsync("w"));
        Assert.Equal("Volume v would be removed; its data would be deleted.\nVolume w would be removed; its data would wait in the trash.\n", (await PipedAsync("volume", "rm", "v", "w", "--dry-run")).Output);
        VolmanProcess.AssertRefused("this would delete the data of v for good, and there is no terminal to ask whether it should: say --yes", await PipedAsync("volume", "rm", "v"));
        Assert.Contains("volman: nothing was deleted", await OnTerminalAsync("volume rm v || true", "echo n |"), StringComparison.Ordinal);
        Assert.Equal(["v", "w"], await _host.Engine.ListAsync());
        Assert.Contains("Volume v is removed, and its data is being deleted.", await OnTerminalAsync("volume rm v", "echo y |"), StringComparison.Ordinal);

        Assert.Equal(0, (await PipedAsync("volume", "rm", "w")).ExitCode);
        Assert.Matches("^Volume again would be restored to .+/again with what w \\(.+\\) was when it was removed, 20.+Z\\.\n$", (await PipedAsync("volume", "restore", "w", "--as", "again", "--dry-run")).Output);
        Assert.Matches("The data of volume w \\(.+\\), removed 20.+Z, would be deleted\\.\n$", (await PipedAsync("trash", "empty", "--dry-run")).Output);
        Assert.Single(Directory.GetDirectories(_host.DataOf(".trash"), "w.*"));
        Assert.Matches("^The data of [12] volumes? is deleted\\.\n$", (await PipedAsync("trash", "empty", "--yes", "--wait")).Output);
        Assert.Empty(Directory.GetDirectories(_host.DataOf(".trash")));
    }
}
