using Microsoft.EntityFrameworkCore;
using VolumeManager.Catalog;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Volumes;

/// <summary><c>volman volume set</c>: what may be changed and when, and that what was asked for before is still the same volume.</summary>
public sealed class OptionChangeTests : IAsyncLifetime, IAsyncDisposable
{
    static readonly Dictionary<string, string> s_asked = new() { ["size"] = "1G", ["label.team"] = "web" };

    readonly TestHost _host = new();

    public async Task InitializeAsync()
    {
        await _host.StartAsync();
        Assert.Equal("", await _host.Engine.CreateAsync("v", s_asked));
    }

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    Task<VolmanProcess.Ended> SetAsync(params string[] arguments) => VolmanProcess.RunAsync(["volume", "set", .. arguments, "--admin-socket", _host.Settings.AdminSocket], null);

    async Task<string> DoneAsync(params string[] arguments)
    {
        var ended = await SetAsync(arguments);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        return ended.Output;
    }

    async Task<string> OptionsAsync()
    {
        await using var db = _host.OpenCatalog();
        var volume = await db.Volumes.SingleAsync(v => v.Name == "v" && v.State == VolumeManager.Volumes.VolumeState.Ready);
        var given = await db.VolumeOptions.Where(o => o.VolumeId == volume.Id).Select(o => $"{o.Key}={o.Value}").ToListAsync();
        var labels = await db.VolumeLabels.Where(o => o.VolumeId == volume.Id).Select(o => $"label.{o.Key}={o.Value}").ToListAsync();
        return $"{EnumText.Of(volume.Access)} {volume.SizeBytes} {EnumText.Of(volume.OnRemove)}: {string.Join(' ', given.Concat(labels).Order(StringComparer.Ordinal))}";
    }

    [Fact]
    public async Task What_is_set_is_in_force_and_what_was_before_is_kept()
    {
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Equal("Changed label.team: \"web\" → \"shop\"\nChanged on-remove: unset → \"delete\"\nChanged size: \"1G\" → \"2G\"\n", await DoneAsync("v", "size=2G", "on-remove=delete", "label.team=shop"));
        Assert.Equal("shared 2147483648 delete: label.team=shop on-remove=delete size=2G", await OptionsAsync());
        Assert.Equal("Changed label.team: \"shop\" → unset\nChanged size: \"2G\" → unset\n", await DoneAsync("v", "--unset", "size", "--unset", "label.team"));
        Assert.Equal("shared  delete: on-remove=delete", await OptionsAsync());
        Assert.Equal("Volume v has these options already.\n", await DoneAsync("v", "on-remove=delete", "--unset", "size"));
        await _host.RestartAsync();
        Assert.Equal("shared  delete: on-remove=delete", await OptionsAsync());
        var shown = (await Clusters.ClusterTests.StatusAsync(_host.Engine, "v")).GetProperty("Options");
        Assert.Equal(("delete", false), (shown.GetProperty("on-remove").GetString(), shown.TryGetProperty("size", out _)));

        await using var db = _host.OpenCatalog();
        Assert.Equal(
            ["label.team: web → shop", "on-remove:  → delete", "size: 1G → 2G", "label.team: shop → ", "size: 2G → "],
            await db.OptionChanges.OrderBy(c => c.ChangedAt).ThenBy(c => c.Key).Select(c => $"{c.Key}: {c.OldValue} → {c.NewValue}").ToListAsync());
        Assert.Equal(["create", "mount", "attach", "set", "set"], (await _host.EventsAsync("v")).Take(5));
    }

    [Fact]
    public async Task Who_asks_for_what_it_was_made_with_still_gets_it()
    {
        await DoneAsync("v", "size=2G", "label.new=yes");
        Assert.Equal("", await _host.Engine.CreateAsync("v", s_asked));
        await DoneAsync("v", "size=3G", "--unset", "label.team");
        Assert.Equal("", await _host.Engine.CreateAsync("v", s_asked));
        Assert.Equal("", await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["size"] = "3G", ["label.new"] = "yes" }));
        // What it was in between nobody has asked for.
        Assert.Contains("exists with other options", await _host.Engine.CreateAsync("v", new Dictionary<string, string> { ["size"] = "2G", ["label.team"] = "web" }), StringComparison.Ordinal);
        Assert.Equal("shared 3221225472 trash: label.new=yes size=3G", await OptionsAsync());
    }

    [Fact]
    public async Task What_a_mount_was_made_with_is_not_changed_under_it()
    {
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        VolmanProcess.AssertRefused("option access of volume v cannot be changed while it is mounted, and it is in use on host test-host .+: stop the containers that use it first", await SetAsync("v", "access=single-caller", "size=2G"));
        Assert.Equal("shared 1073741824 trash: label.team=web size=1G", await OptionsAsync());
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
        await DoneAsync("v", "access=single-caller");
        Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
        Assert.Contains("is mounted by", await _host.Engine.MountAsync("v", "y"), StringComparison.Ordinal);
        Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
    }

    [Fact]
    public async Task What_cannot_be_changed_is_refused_with_what_to_do_instead()
    {
        VolmanProcess.AssertRefused("option backend says where the data lies: use volman volume move", await SetAsync("v", "backend=nfs"));
        VolmanProcess.AssertRefused("option uid is used when the directory is made, and never again: .+", await SetAsync("v", "uid=3"));
        VolmanProcess.AssertRefused("option nfsopts is for the backend nfs: .+", await SetAsync("v", "nfsopts=vers=3"));
        VolmanProcess.AssertRefused("option size is \"much\": .+", await SetAsync("v", "label.a=b", "size=much"));
        VolmanProcess.AssertRefused("option \"colour\" is unknown: .+", await SetAsync("v", "colour=red"));
        VolmanProcess.AssertRefused("option \"colour\" is unknown: .+", await SetAsync("v", "--unset", "colour"));
        VolmanProcess.AssertRefused("the option size is given twice: give it once", await SetAsync("v", "size=1G", "--unset", "size"));
        VolmanProcess.AssertRefused("no such volume: nobody", await SetAsync("nobody", "size=1G"));
        Assert.Equal(2, (await SetAsync("v")).ExitCode);
        Assert.Equal("Would change size: \"1G\" → \"5G\"\n", await DoneAsync("v", "size=5G", "--dry-run"));
        Assert.Equal("shared 1073741824 trash: label.team=web size=1G", await OptionsAsync());
        await using var db = _host.OpenCatalog();
        Assert.Empty(await db.OptionChanges.ToListAsync());
    }
}
