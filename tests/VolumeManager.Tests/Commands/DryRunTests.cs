using VolumeManager.Commands;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;
using Verb = System.CommandLine.Command;

namespace VolumeManager.Tests.Commands;

/// <summary><c>--dry-run</c>: it is refused what would be refused, tells what would be done, and nothing is changed.</summary>
[Trait("Catalog", "any")]
public sealed class DryRunTests : IAsyncLifetime, IAsyncDisposable
{
    // What changes nothing that lasts.
    static readonly string[] s_onlyTell = ["serve", "status", "completion", "volume inspect"];

    readonly TestHost _host = new();

    public Task InitializeAsync() => _host.StartAsync();

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    Task<VolmanProcess.Ended> RunAsync(string[] arguments) => VolmanProcess.RunAsync([.. arguments, "--admin-socket", _host.Settings.AdminSocket], null);

    async Task TellsAsync(string expected, params string[] arguments) => Assert.Equal(new VolmanProcess.Ended(0, expected + "\n", ""), await RunAsync([.. arguments, "--dry-run"]));

    async Task RefusesAsync(string expected, params string[] arguments)
    {
        VolmanProcess.AssertRefused(expected, await RunAsync([.. arguments, "--dry-run"]));
        VolmanProcess.AssertRefused(expected, await RunAsync(arguments));
    }

    [Fact]
    public void Every_verb_that_changes_something_has_it()
    {
        static IEnumerable<Verb> Verbs(Verb of) => of.Subcommands.Where(verb => !verb.Hidden).SelectMany(verb => verb.Subcommands.Count == 0 ? [verb] : Verbs(verb));
        bool OnlyTells(string name) => s_onlyTell.Contains(name) || name.StartsWith("report ", StringComparison.Ordinal) || name.EndsWith(" ls", StringComparison.Ordinal);
        var verbs = Verbs(RootVerb.Build()).ToDictionary(Examples.VerbOf);
        var changing = verbs.Where(verb => !OnlyTells(verb.Key)).ToList();
        Assert.All(changing, verb => Assert.True(verb.Value.Options.Any(o => o.Name == "--dry-run"), $"volman {verb.Key} has no --dry-run"));
        Assert.All(verbs.Where(verb => OnlyTells(verb.Key)), verb => Assert.DoesNotContain(verb.Value.Options, o => o.Name == "--dry-run"));
        Assert.InRange(changing.Count, 13, 30);
    }

    [Fact]
    public async Task A_volume_is_not_made()
    {
        Directory.CreateDirectory(_host.DataOf("there/within"));
        Directory.CreateDirectory(_host.DataOf("empty"));
        await TellsAsync($"Volume shop would be at {_host.DataOf("shop")}.", "volume", "create", "shop", "-o", "size=10G", "-o", "label.team=web");
        await TellsAsync($"Volume shop would be at {_host.DataOf("there/within")}.", "volume", "create", "shop", "-o", "path=there/within");
        await TellsAsync($"Volume empty would be at {_host.DataOf("empty")}.", "volume", "create", "empty");
        Assert.Empty(await _host.Engine.ListAsync());
        Assert.False(Directory.Exists(_host.DataOf("shop")));
        Assert.Empty(await _host.EventsAsync("shop"));

        await RefusesAsync("(?=.*colour).+", "volume", "create", "v", "-o", "colour=red");
        await RefusesAsync(".*/there exists and holds data: adopt it with -o path=there, or move it away", "volume", "create", "there");
        await RefusesAsync("option path is \"nothing\", but .*/nothing is not an existing directory free of symbolic links: create it first", "volume", "create", "v", "-o", "path=nothing");
        Assert.Equal("", await _host.Engine.CreateAsync("shop", new { path = "there/within", size = "1G" }));
        await RefusesAsync("volume v cannot have the directory there, which overlaps that of another volume: choose another path", "volume", "create", "v", "-o", "path=there");
        await RefusesAsync("volume shop exists with other options \\(.*\\): use it as it is, or choose another name", "volume", "create", "shop", "-o", "size=2G");
        await TellsAsync($"Volume shop is at {_host.DataOf("there/within")} already, and would stay as it is.", "volume", "create", "shop");
        Assert.Equal(["shop"], await _host.Engine.ListAsync());
    }

    [Fact]
    public async Task A_directory_is_not_adopted()
    {
        Directory.CreateDirectory(_host.DataOf("old"));
        Assert.Equal("", await _host.Engine.CreateAsync("taken"));
        await RefusesAsync("volume taken exists with other options .+", "volume", "adopt", "old", "--as", "taken");
        await RefusesAsync("(?=.*colour).+", "volume", "adopt", "old", "-o", "colour=red");
        await RefusesAsync("there is no directory nothing that is no volume's: .+", "volume", "adopt", "nothing");
        Assert.Matches("^DIRECTORY .+\nold +old +yes\n$", (await RunAsync(["volume", "adopt", "--all", "--dry-run"])).Output);
        Assert.Equal(["taken"], await _host.Engine.ListAsync());
    }

    [Fact]
    public async Task A_volume_is_not_removed()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        await TellsAsync("Volume v would be removed; its data would wait in the trash.", "volume", "rm", "v");
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        await RefusesAsync("volume v is in use on host test-host \\(1 caller .+", "volume", "rm", "v");
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        var elsewhere = Directory.CreateDirectory(_host.DataOf("elsewhere")).FullName;
        await ShellCommand.BindAsync(_host.DataOf("v"), elsewhere);
        await RefusesAsync("volume v is in use on host test-host: a container or another mount still has .+/v, stop it first", "volume", "rm", "v");
        await Command.OutputOfAsync("umount", elsewhere);

        await RefusesAsync("no such volume: nobody", "volume", "rm", "nobody");
        Assert.Equal(["v"], await _host.Engine.ListAsync());
        Assert.DoesNotContain("remove", await _host.EventsAsync("v"));
    }

    [Fact]
    public async Task A_volume_is_neither_restored_nor_deleted()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        Assert.Matches("^Volume v would be restored to .+/v with what v \\(.+\\) was when it was removed, 20.+Z\\.\n$", (await RunAsync(["volume", "restore", "v", "--dry-run"])).Output);
        Assert.Equal("", await _host.Engine.CreateAsync("taken"));
        await RefusesAsync("there is a volume taken already: restore it under another name with --as", "volume", "restore", "v", "--as", "taken");
        await RefusesAsync("there is no volume \"nobody\" in the trash: see volman trash ls", "volume", "restore", "nobody");
        await RefusesAsync("there is no volume \"nobody\" in the trash: see volman trash ls", "trash", "empty", "nobody", "--yes");
        Assert.Matches("^The data of volume v \\(.+\\), removed 20.+Z, would be deleted\\.\n$", (await RunAsync(["trash", "empty", "v", "--dry-run"])).Output);
        using var asks = Admin.OperatorClient.Of(_host);
        Assert.Equal(200, (await asks.SendAsync("DELETE", "/v1/trash?dry_run=true")).Status);
        var trashed = Assert.Single(await asks.TrashAsync());
        Assert.Equal(("v", "trashed"), (trashed.GetProperty("name").GetString(), trashed.GetProperty("state").GetString()));
        Assert.Equal(TimeSpan.FromHours(24), trashed.GetProperty("purge_after").GetDateTime() - trashed.GetProperty("removed_at").GetDateTime());
    }

    [Fact]
    public async Task A_token_is_neither_made_nor_revoked()
    {
        await TellsAsync("Token eyes would be made, with the role viewer; it would not expire.", "token", "create", "eyes", "--role", "viewer");
        Assert.Matches("^Token eyes would be made, with the role operator; it would expire 20.+Z\\.\n$", (await RunAsync(["token", "create", "eyes", "--role", "operator", "--expires", "90d", "--dry-run"])).Output);
        await RefusesAsync("there is no token \"eyes\": see volman token ls", "token", "rm", "eyes");
        Assert.Equal(0, (await RunAsync(["token", "create", "eyes", "--role", "viewer"])).ExitCode);
        await RefusesAsync("there is a token eyes already: revoke it with volman token rm, or choose another name", "token", "create", "eyes", "--role", "viewer");
        await TellsAsync("Token eyes would be revoked.", "token", "rm", "eyes");
        Assert.Matches("\neyes +viewer ", (await RunAsync(["token", "ls"])).Output);
        Assert.Equal("Token eyes is revoked.\n", (await RunAsync(["token", "rm", "eyes"])).Output);
    }

    [Fact]
    public async Task The_doctor_repairs_nothing()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("v"));
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        Directory.CreateDirectory(_host.DataOf(".trash"));
        await using (var db = _host.OpenCatalog())
        {
            var id = db.Volumes.Single().Id;
            Directory.Move(_host.DataOf("v"), _host.DataOf($".trash/v.{id:N}"));
        }

        var told = await RunAsync(["doctor", "--repair", "--dry-run", "--only", "directory-trashed"]);
        Assert.Equal((DoctorCommand.Unhealthy, ""), (told.ExitCode, told.Errors));
        Assert.Contains("--repair moves the data back to its place.", told.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_host.DataOf("v")));
    }
}
