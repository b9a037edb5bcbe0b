using System.Net.Sockets;
using System.Text.Json;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Docker;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Commands;

/// <summary><c>volman trash</c> and <c>volman volume restore</c> as an operator runs them.</summary>
[Trait("Catalog", "any")]
public sealed class TrashCommandTests(RunningHost running) : IClassFixture<RunningHost>
{
    readonly TestHost _host = running.Host;

    Task<VolmanProcess.Ended> RunAsync(params string[] arguments) => VolmanProcess.RunAsync([.. arguments, "--admin-socket", _host.Settings.AdminSocket], null);

    async Task<string> MakeAndRemoveAsync(string name)
    {
        Assert.Equal("", await _host.Engine.CreateAsync(name));
        await File.WriteAllTextAsync(_host.DataOf(name) + "/f", "data of " + name);
        Assert.Equal("", await _host.Engine.RemoveAsync(name));
        using var operate = OperatorClient.Of(_host);
        return (await operate.TrashAsync()).First(v => v.GetProperty("name").GetString() == name).GetProperty("id").GetString()!;
    }

    [Fact]
    public async Task Help_and_wrong_usage_are_told_as_by_all_verbs()
    {
        foreach (var (verb, words) in new[] { ("volume", "restore <name-or-id>"), ("trash", "ls"), ("trash", "empty <name-or-id>") })
        {
            var help = await VolmanProcess.RunAsync(verb, "--help");
            Assert.Equal((0, ""), (help.ExitCode, help.Errors));
            Assert.Matches($"\n  {words} +[A-Z]", help.Output);
        }

        Assert.Equal(2, (await VolmanProcess.RunAsync("trash", "ls", "--help")).Output.Split("[default: table]").Length);

        foreach (var wrong in new string[][] { ["volume"], ["volume", "restore"], ["volume", "restore", "a", "b"], ["trash", "ls", "--output", "xml"], ["trash", "full"], ["volume", "restore", ""], ["volume", "restore", ".."], ["trash", "empty", "."] })
        {
            var ended = await VolmanProcess.RunAsync(wrong);
            Assert.Equal(2, ended.ExitCode);
            Assert.NotEqual("", ended.Errors);
        }
    }

    [Fact]
    public async Task Without_a_daemon_it_says_where_none_answers_and_what_to_do()
    {
        foreach (var verb in new string[][] { ["volume", "restore", "v"], ["trash", "ls"], ["trash", "empty", "--yes"] })
        {
            VolmanProcess.AssertRefused(
                "no volman answers on /nowhere/admin.sock: start volman serve, or name its socket with --admin-socket", await VolmanProcess.RunAsync([.. verb, "--admin-socket", "/nowhere/admin.sock"], null));
        }

        // The plugin socket is not it.
        VolmanProcess.AssertRefused("no volman answers on .+: start volman serve, or name its socket with --admin-socket", await VolmanProcess.RunAsync("trash", "ls", "--admin-socket", _host.Settings.Socket));
    }

    [Fact]
    public async Task A_daemon_that_ends_before_it_has_answered_may_have_done_what_was_asked()
    {
        var socket = _host.Settings.AdminSocket + ".broken";
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(socket));
        listener.Listen();
        var restoring = VolmanProcess.RunAsync("volume", "restore", "v", "--admin-socket", socket);
        using (var asked = await listener.AcceptAsync()) await asked.ReceiveAsync(new byte[1000]);
        VolmanProcess.AssertRefused("the volman on .+ ended before it had answered: what it was asked for may be done or go on, see docker volume ls and volman trash ls", await restoring);
    }

    [Fact]
    public async Task A_removed_volume_is_listed_and_restored_by_name_and_by_id()
    {
        var id = await MakeAndRemoveAsync("shop");
        var listed = await RunAsync("trash", "ls");
        Assert.Equal((0, ""), (listed.ExitCode, listed.Errors));
        var lines = listed.Output.TrimEnd('\n').Split('\n');
        Assert.Matches("^ID +NAME +STATE +REMOVED +KEPT UNTIL +SIZE +SOURCE$", lines[0]);
        var line = Assert.Single(lines, l => l.Contains(" shop ", StringComparison.Ordinal));
        Assert.Matches($@"^{id}  shop +trashed +20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ +20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ +{_host.DataOf("shop")}$", line);
        foreach (var heading in new[] { "NAME", "STATE", "REMOVED" })
        {
            var column = lines[0].IndexOf(heading, StringComparison.Ordinal);
            Assert.All(lines, l => Assert.Matches("^ [^ ]$", l.Substring(column - 1, 2)));
        }

        var json = JsonDocument.Parse((await RunAsync("trash", "ls", "--output", "json")).Output).RootElement;
        Assert.Equal(id, Assert.Single(json.EnumerateArray(), v => v.GetProperty("name").GetString() == "shop").GetProperty("id").GetString());

        Assert.Equal(new VolmanProcess.Ended(0, $"Volume shop is restored to {_host.DataOf("shop")}.\n", ""), await RunAsync("volume", "restore", "shop"));
        Assert.Equal("", await _host.Engine.RemoveAsync("shop"));
        Assert.Equal(new VolmanProcess.Ended(0, $"Volume old is restored to {_host.DataOf("old")}.\n", ""), await RunAsync("volume", "restore", id, "--as", "old"));
        Assert.Equal("data of shop", await File.ReadAllTextAsync(_host.DataOf("old") + "/f"));
        VolmanProcess.AssertRefused("there is no volume \"shop\" in the trash: see volman trash ls", await RunAsync("volume", "restore", "shop"));
        VolmanProcess.AssertRefused("volume name \"a/b\" is not allowed: .+", await RunAsync("volume", "restore", "shop", "--as", "a/b"));
    }

    [Fact]
    public async Task Emptying_asks_first_and_without_a_terminal_wants_to_be_told_yes()
    {
        await MakeAndRemoveAsync("junk");
        var kept = await MakeAndRemoveAsync("treasure");
        VolmanProcess.AssertRefused("this would delete the data of junk for good, and there is no terminal to ask whether it should: say --yes", await RunAsync("trash", "empty", "junk"));
        VolmanProcess.AssertRefused("this would delete the data of all \\d volumes in the trash for good, .+: say --yes", await RunAsync("trash", "empty"));
        VolmanProcess.AssertRefused("there is no volume \"nobody\" in the trash: see volman trash ls", await RunAsync("trash", "empty", "nobody", "--yes"));

        var emptied = await RunAsync("trash", "empty", "junk", "--yes");
        Assert.Equal((0, ""), (emptied.ExitCode, emptied.Errors));
        Assert.Matches("^The data of volume junk \\([0-9a-f-]{36}\\) is deleted, within minutes if .+\\.\n$", emptied.Output);
        await Poll.UntilAsync("junk is deleted", async () => (await _host.EventsAsync("junk")).Contains("purge"));
        Assert.True(Directory.Exists(_host.DataOf($".trash/treasure.{Guid.Parse(kept):N}")));

        Assert.Equal(0, (await RunAsync("trash", "empty", "--yes")).ExitCode);
        await Poll.UntilAsync("the trash is empty", () => Directory.GetFileSystemEntries(_host.DataOf(".trash")).Length == 0);
        Assert.Equal(new VolmanProcess.Ended(0, "The trash is empty.\n", ""), await RunAsync("trash", "empty"));
    }

    [Fact]
    public async Task On_a_terminal_it_asks_and_only_yes_is_yes()
    {
        await MakeAndRemoveAsync("asked");
        var volman = $"{string.Join(' ', VolmanProcess.Program)} trash empty asked --admin-socket {_host.Settings.AdminSocket}";
        // script(1) gives it a terminal.
        var refused = await Command.OutputOfAsync("sh", "-c", $"echo n | script -qec '{volman}' /dev/null || true");
        Assert.Contains("Delete the data of asked for good? [y/N]", refused, StringComparison.Ordinal);
        Assert.Contains("volman: nothing was deleted", refused, StringComparison.Ordinal);
        Assert.DoesNotContain("purge", await _host.EventsAsync("asked"));
        Assert.Contains("is deleted, within minutes if", await Command.OutputOfAsync("sh", "-c", $"echo y | script -qec '{volman}' /dev/null"), StringComparison.Ordinal);
        await Poll.UntilAsync("it is deleted", async () => (await _host.EventsAsync("asked")).Contains("purge"));
    }
}
