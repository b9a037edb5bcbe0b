using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Hosts;
using VolumeManager.Tests.Linux;

namespace VolumeManager.Tests.Docker;

/// <summary>protocol.md 8, 16 to 21: what Create makes, and what it refuses without a trace.</summary>
public sealed class CreateTests(RunningHost running) : IClassFixture<RunningHost>
{
    readonly TestHost _host = running.Host;

    [Theory]
    [InlineData("null-options", """,  "Opts":null""")]
    [InlineData("empty-options", ""","Opts":{}""")]
    [InlineData("no-options", "")]
    public async Task No_options_are_the_usual_case(string name, string options)
    {
        Assert.Equal("", (await _host.Engine.CallAsync("/VolumeDriver.Create", $$"""{"Name":"{{name}}"{{options}}}""")).Err);
        Assert.Equal("0:0 755", await ShellCommand.OwnerAndModeAsync(_host.DataOf(name)));
        Assert.Empty(Directory.GetFileSystemEntries(_host.DataOf(name)));
    }

    [Theory]
    [InlineData("same", "same", "{}")]
    [InlineData("same-mode", "{\"mode\":\"0750\"}", "{\"mode\":\"750\"}")]
    [InlineData("same-size", "{\"size\":\"1G\"}", "{\"size\":\"1073741824\"}")]
    [InlineData("same-default", "{\"label.a\":\"1\"}", "{\"label.a\":\"1\",\"access\":\"shared\",\"uid\":\"0\"}")]
    [InlineData("null-later", "{\"mode\":\"0700\"}", "null")]
    [InlineData("empty-later", "{\"mode\":\"0700\"}", "{}")]
    public async Task The_same_volume_again_is_success(string name, string first, string again)
    {
        Assert.Equal("", await CreateAsync(name, first == "same" ? again : first));
        Assert.Equal("", await CreateAsync(name, again));
        Assert.Equal("", await CreateAsync(name, again));
        Assert.Single(await _host.Engine.ListAsync(), n => n == name);
        Assert.Equal(["create"], await _host.EventsAsync(name));
    }

    [Theory]
    [InlineData("{\"mode\":\"0750\"}", "{\"mode\":\"0700\"}", "mode is \"0750\", not \"0700\"")]
    [InlineData("{}", "{\"access\":\"single-host\"}", "access is \"shared\", not \"single-host\"")]
    [InlineData("{\"size\":\"1G\"}", "{\"uid\":\"7\"}", "size is \"1073741824\", not unset, uid is \"0\", not \"7\"")]
    [InlineData("{\"label.a\":\"1\"}", "{\"label.a\":\"2\"}", "label.a is \"1\", not \"2\"")]
    [InlineData("{\"label.a\":\"1\"}", "{\"label.b\":\"1\"}", "label.a is \"1\", not unset, label.b is unset, not \"1\"")]
    [InlineData("{\"on-remove\":\"retain\"}", "{\"backend\":\"local\"}", "on-remove is \"retain\", not \"trash\"")]
    [InlineData("{}", "{\"path\":\"kept\"}", "path is unset, not \"kept\"")]
    public async Task Other_options_of_an_existing_volume_are_refused_and_named(string first, string other, string difference)
    {
        var name = "d" + Guid.NewGuid().ToString("N");
        Assert.Equal("", await CreateAsync(name, first));
        var error = await CreateAsync(name, other);
        Assert.Contains($"volume {name} exists with other options", error, StringComparison.Ordinal);
        Assert.Contains(difference, error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("typo", "1", "option \"typo\" is unknown")]
    [InlineData("Mode", "0755", "option \"Mode\" is unknown")]
    [InlineData("", "1", "option \"\" is unknown")]
    [InlineData("a\nb", "1", "option \"a?b\" is unknown")]
    [InlineData("backend", "tape", "option backend is \"tape\"")]
    [InlineData("nfsopts", "vers=4", "option nfsopts is for the backend nfs")]
    [InlineData("mode", "0999", "option mode is \"0999\"")]
    [InlineData("uid", "root", "option uid is \"root\"")]
    [InlineData("size", "ten", "option size is \"ten\"")]
    [InlineData("access", "everyone", "use one of shared, single-host, single-caller, read-only")]
    [InlineData("on-remove", "burn", "use one of trash, delete, retain")]
    [InlineData("label.", "x", "label \"\" is not allowed")]
    [InlineData("label.a", "x\u0001", "option label.a contains control characters")]
    public async Task An_option_that_is_not_allowed_is_named_and_nothing_is_made(string key, string value, string error)
    {
        Assert.Contains(error, await _host.Engine.CreateAsync("refused", new Dictionary<string, string> { [key] = value }), StringComparison.Ordinal);
        Assert.DoesNotContain("refused", await _host.Engine.ListAsync());
        Assert.False(Path.Exists(_host.DataOf("refused")));
    }

    [Fact]
    public async Task However_long_an_option_is_its_refusal_is_short()
    {
        var huge = new string('k', 1 << 20);
        Assert.InRange((await _host.Engine.CreateAsync("refused", new Dictionary<string, string> { [huge] = "1" })).Length, 1, 1000);
        Assert.InRange((await _host.Engine.CreateAsync("refused", new Dictionary<string, string> { [huge] = new('v', 5000) })).Length, 1, 1000);
        Assert.InRange((await _host.Engine.CreateAsync("refused", new Dictionary<string, string> { ["label." + huge] = "\n" })).Length, 1, 1000);
        Assert.InRange((await _host.Engine.CreateAsync(huge)).Length, 1, 1000);
    }

    public static TheoryData<string> HostileNames => new(
        "", ".", "..", "...", "../x", "a/b", "/abs", "a/../../b", ".hidden", ".trash", "-dash", "_under", "a b", " a", "a ", "a\0b", "a\nb", "a:b", "a\\b", "a*", "~",
        "ünïcode", "日本", "🐳", "ａ", "a\u0301", new string('a', 256), new string('a', 300), new string('a', 100_000));

    [Theory]
    [MemberData(nameof(HostileNames))]
    public async Task A_hostile_name_is_refused_and_leaves_nothing_on_disk(string name)
    {
        var before = await AllFilesAsync();
        Assert.Contains("is not allowed: use 1 to 255 of the characters a-z A-Z 0-9 _ . -", await _host.Engine.CreateAsync(name), StringComparison.Ordinal);
        // The other verbs meet it too, and know of no such volume.
        Assert.NotEqual("", await _host.Engine.MountAsync(name, "x"));
        Assert.Equal("", await _host.Engine.UnmountAsync(name, "x"));
        Assert.Equal("", await _host.Engine.RemoveAsync(name));
        Assert.Equal("", await _host.Engine.PathAsync(name));
        Assert.Equal("no such volume", (await _host.Engine.GetAsync(name)).Err);
        Assert.Equal(before, await AllFilesAsync());
    }

    [Theory]
    [InlineData("A")]
    [InlineData("0")]
    [InlineData("a.b-c_d")]
    [InlineData("a..")]
    [InlineData("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    public async Task A_name_of_the_engines_own_pattern_is_allowed(string name)
    {
        Assert.Equal("", await _host.Engine.CreateAsync(name));
        Assert.True(Directory.Exists(_host.DataOf(name)));
    }

    [Fact]
    public async Task The_longest_name_lives_a_whole_life()
    {
        var name = new string('z', 255);
        Assert.Equal("", await _host.Engine.CreateAsync(name));
        Assert.Equal("", await _host.Engine.MountAsync(name, "x"));
        Assert.Contains(name, _host.KernelMounts());
        Assert.Equal("", await _host.Engine.UnmountAsync(name, "x"));
        Assert.Equal("", await _host.Engine.RemoveAsync(name));
        Assert.False(Directory.Exists(_host.DataOf(name)));
    }

    [Fact]
    public async Task Names_are_told_apart_by_case()
    {
        foreach (var name in new[] { "Case", "case" })
        {
            Assert.Equal("", await _host.Engine.CreateAsync(name));
            await File.WriteAllTextAsync(Path.Combine(_host.DataOf(name), "f"), name);
        }

        Assert.Equal("", await _host.Engine.RemoveAsync("Case"));
        Assert.Equal("case", await File.ReadAllTextAsync(Path.Combine(_host.DataOf("case"), "f")));
        Assert.Equal("", (await _host.Engine.GetAsync("case")).Err);
    }

    [Theory]
    [InlineData("o1", "1000", "1001", "0750", "1000:1001 750")]
    [InlineData("o2", "0", "0", "01777", "0:0 1777")]
    [InlineData("o3", "4294967294", "4294967294", "2770", "4294967294:4294967294 2770")]
    [InlineData("o4", "5", "0", "000", "5:0 0")]
    public async Task Owner_and_mode_are_as_asked(string name, string uid, string gid, string mode, string expected)
    {
        Assert.Equal("", await _host.Engine.CreateAsync(name, new { uid, gid, mode }));
        Assert.Equal(expected, await ShellCommand.OwnerAndModeAsync(_host.DataOf(name)));
        await _host.Engine.MountAsync(name, "x");
        Assert.Equal(expected, await ShellCommand.OwnerAndModeAsync(_host.TargetOf(name)));
        await _host.Engine.UnmountAsync(name, "x");
    }

    [Fact]
    public async Task Fifty_Creates_of_one_name_at_once_make_one_volume()
    {
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _host.Engine.CreateAsync("raced", new { mode = "0711" }))), error => Assert.Equal("", error));
        await using var db = _host.OpenCatalog();
        Assert.Equal(1, await db.Volumes.CountAsync(v => v.Name == "raced"));
        Assert.Equal("0:0 711", await ShellCommand.OwnerAndModeAsync(_host.DataOf("raced")));
    }

    [Fact]
    public async Task An_empty_directory_left_by_a_Create_that_was_cut_off_is_taken()
    {
        Directory.CreateDirectory(_host.DataOf("left"));
        Assert.Equal("", await _host.Engine.CreateAsync("left", new { mode = "0700", uid = "3" }));
        Assert.Equal("3:0 700", await ShellCommand.OwnerAndModeAsync(_host.DataOf("left")));
    }

    [Fact]
    public async Task What_stands_where_the_directory_should_be_is_left_alone()
    {
        Directory.CreateDirectory(_host.DataOf("full"));
        await File.WriteAllTextAsync(_host.DataOf("full") + "/f", "data");
        await File.WriteAllTextAsync(_host.DataOf("file"), "data");
        Directory.CreateSymbolicLink(_host.DataOf("link"), _host.Settings.StateDirectory);
        Assert.Contains("exists and holds data: adopt it with -o path=full", await _host.Engine.CreateAsync("full"), StringComparison.Ordinal);
        Assert.NotEqual("", await _host.Engine.CreateAsync("file"));
        Assert.NotEqual("", await _host.Engine.CreateAsync("link", new { mode = "0777" }));
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("full") + "/f"));
        Assert.Equal("data", await File.ReadAllTextAsync(_host.DataOf("file")));
        Assert.NotEqual("0:0 777", await ShellCommand.OwnerAndModeAsync(_host.Settings.StateDirectory));
    }

    async Task<string> CreateAsync(string name, string options) =>
        (await _host.Engine.CallAsync("/VolumeDriver.Create", $$"""{"Name":{{JsonSerializer.Serialize(name)}},"Opts":{{options}}}""")).Err;

    /// <summary>Every path below the host's directory; SQLite's journal comes and goes.</summary>
    Task<string> AllFilesAsync() => Command.OutputOfAsync("find", Path.GetDirectoryName(_host.Settings.DataRoot)!, "-not", "-path", "*/state/*");
}
