using System.Text.Json;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Commands;

/// <summary><c>volman volume adopt</c>: tells what lies there, takes over what is chosen, and touches nothing else.</summary>
[Trait("Catalog", "any")]
public sealed class VolumeAdoptCommandTests : IAsyncLifetime, IAsyncDisposable
{
    readonly TestHost _host = new();

    public async Task InitializeAsync()
    {
        await _host.StartAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("known"));
        foreach (var directory in new[] { "web", "team/a", "team/b", "bad name", ".hidden", "empty" }) Directory.CreateDirectory(_host.DataOf(directory));
        foreach (var file in new[] { "web/f", "team/b/f", "bad name/f", "a-file" }) await File.WriteAllTextAsync(_host.DataOf(file), "data");
        File.CreateSymbolicLink(_host.DataOf("a-link"), "/etc");
        Assert.Equal("", await _host.Engine.CreateAsync("a", new { path = "team/a" }));
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    Task<VolmanProcess.Ended> AdoptAsync(params string[] arguments) => VolmanProcess.RunAsync(["volume", "adopt", .. arguments, "--admin-socket", _host.Settings.AdminSocket], null);

    async Task<string> DoneAsync(params string[] arguments)
    {
        var ended = await AdoptAsync(arguments);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        return ended.Output;
    }

    [Fact]
    public async Task What_is_no_volumes_is_told_and_nothing_is_changed()
    {
        Assert.Equal("", await _host.Engine.CreateAsync("team-b"));
        // One that was never mounted holds no data, and gets its directory when it is.
        Directory.Delete(_host.DataOf("team-b"));
        Assert.Equal("", await _host.Engine.MountAsync("known", "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync("known", "x"));
        Directory.Delete(_host.DataOf("known"));
        var lines = (await DoneAsync()).Split('\n');
        Assert.Matches("^DIRECTORY +AS VOLUME +EMPTY +NOTE$", lines[0]);
        Assert.Matches("^bad name +bad name +this is no name for a volume: choose one with --as$", lines[1]);
        Assert.Matches("^empty +empty +yes$", lines[2]);
        Assert.Matches("^team/b +team-b +there is a volume team-b at .+: choose another name with --as$", lines[3]);
        Assert.Matches("^web +web$", lines[4]);
        Assert.Equal(
            $"Volume known has no directory: {_host.DataOf("known")} is missing; mount its disk or restore it, or remove the volume with volman volume rm known.",
            Assert.Single(lines[5..], line => line.Length > 0));
        var json = JsonDocument.Parse(await DoneAsync("--output", "json")).RootElement;
        Assert.Equal(["bad name", "empty", "team/b", "web"], json.GetProperty("found").EnumerateArray().Select(f => f.GetProperty("directory").GetString()));
        Assert.Equal(["a", "known", "team-b"], await _host.Engine.ListAsync());
    }

    [Fact]
    public async Task What_is_chosen_becomes_a_volume_in_place()
    {
        Assert.Matches("^DIRECTORY .+\nweb .+\n$", await DoneAsync("web", "--dry-run"));
        Assert.Equal(["a", "known"], await _host.Engine.ListAsync());
        Assert.Equal($"Volume web is at {_host.DataOf("web")}; when it is removed its data stays.\n", await DoneAsync("web"));
        Assert.Equal($"Volume fine is at {_host.DataOf("bad name")}; when it is removed its data goes to the trash.\n", await DoneAsync("bad name", "--as", "fine", "-o", "on-remove=trash"));
        Assert.Equal("", await _host.Engine.MountAsync("web", "x"));
        Assert.Equal("data", await File.ReadAllTextAsync(_host.TargetOf("web") + "/f"));
        Assert.Equal("", await _host.Engine.UnmountAsync("web", "x"));
        await DoneAsync("--all");
        Assert.Equal(["a", "empty", "fine", "known", "team-b", "web"], await _host.Engine.ListAsync());
        Assert.Equal("Every directory is a volume's.\n", await DoneAsync());

        VolmanProcess.AssertRefused("there is no directory nothing that is no volume's: .+", await AdoptAsync("nothing"));
        VolmanProcess.AssertRefused("there is no directory \\.\\./x that is no volume's: .+", await AdoptAsync("../x"));
        VolmanProcess.AssertRefused("option path is .+", await AdoptAsync("../x", "--as", "x"));
        foreach (var wrong in new string[][] { ["--all", "web"], ["--as", "x"], ["a", "b", "--as", "x"], ["--backend", "s3"] }) Assert.Equal(2, (await AdoptAsync(wrong)).ExitCode);
    }
}
