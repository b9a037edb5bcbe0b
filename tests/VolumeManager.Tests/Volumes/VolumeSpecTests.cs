using VolumeManager.Volumes;

namespace VolumeManager.Tests.Volumes;

[Trait("Catalog", "none")]
public class VolumeSpecTests
{
    static VolumeSpec Parse(params (string Key, string? Value)[] options) => VolumeSpec.Parse(options.ToDictionary(o => o.Key, o => o.Value, StringComparer.Ordinal), new Settings());

    static string Refused(params (string Key, string? Value)[] options) => Assert.Throws<VolumeException>(() => Parse(options)).Message;

    [Fact]
    public void Without_options_the_defaults_are_in_force()
    {
        foreach (var spec in new[] { VolumeSpec.Parse(null, new Settings()), Parse() })
        {
            Assert.Equal(("local", null, AccessMode.Shared, null), (spec.Backend, spec.Path, spec.Access, spec.SizeBytes));
            Assert.Equal((0L, 0L, 0x1ED, OnRemove.Trash), (spec.Uid, spec.Gid, spec.Mode, spec.OnRemove));
            Assert.Empty(spec.Options);
            Assert.Empty(spec.Labels);
        }
    }

    [Fact]
    public void What_the_user_passed_is_kept_as_it_was_and_labels_apart()
    {
        var spec = Parse(("size", "10g"), ("mode", "750"), ("label.team", "a b=c"), ("label.x/y.z-0_", ""), ("access", "read-only"), ("backend", "local"));
        Assert.Equal(10L << 30, spec.SizeBytes);
        Assert.Equal("10g", spec.Options["size"]);
        Assert.Equal("750", spec.Options["mode"]);
        Assert.Equal(["access", "backend", "mode", "size"], spec.Options.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(["team", "x/y.z-0_"], spec.Labels.Keys.Order(StringComparer.Ordinal));
        Assert.Equal("a b=c", spec.Labels["team"]);
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("4294967294", 4294967294)]
    public void Ids_are_those_that_chown_takes(string value, long id)
    {
        Assert.Equal(id, Parse(("uid", value)).Uid);
        Assert.Equal(id, Parse(("gid", value)).Gid);
    }

    [Theory]
    [InlineData("4294967295")]
    [InlineData("-1")]
    [InlineData("")]
    [InlineData(" 1")]
    [InlineData("1.0")]
    [InlineData("0x1")]
    [InlineData("root")]
    public void Other_ids_are_refused(string value)
    {
        Assert.StartsWith("option uid is ", Refused(("uid", value)), StringComparison.Ordinal);
        Assert.StartsWith("option gid is ", Refused(("gid", value)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("755", 0x1ED)]
    [InlineData("0755", 0x1ED)]
    [InlineData("00755", 0x1ED)]
    [InlineData("000", 0)]
    [InlineData("1777", 0x3FF)]
    [InlineData("01777", 0x3FF)]
    [InlineData("7777", 0xFFF)]
    public void Modes_are_octal(string value, int mode) => Assert.Equal(mode, Parse(("mode", value)).Mode);

    [Theory]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("0o755")]
    [InlineData("rwxr-xr-x")]
    [InlineData("888")]
    [InlineData("-755")]
    [InlineData("10000")]
    [InlineData("000755")]
    public void Other_modes_are_refused(string value) => Assert.EndsWith("write an octal mode such as 0750", Refused(("mode", value)), StringComparison.Ordinal);

    [Theory]
    [InlineData("shared")]
    [InlineData("single-host")]
    [InlineData("single-caller")]
    [InlineData("read-only")]
    public void Each_access_is_known(string access) => Assert.Equal(access, Catalog(Parse(("access", access)).Access));

    [Theory]
    [InlineData("access", "Shared")]
    [InlineData("access", "")]
    [InlineData("access", "0")]
    [InlineData("on-remove", "TRASH")]
    [InlineData("on-remove", "keep")]
    public void Choices_are_spelled_as_documented(string key, string value) =>
        Assert.StartsWith($"option {key} is \"{value}\": use one of ", Refused((key, value)), StringComparison.Ordinal);

    [Theory]
    [InlineData("a")]
    [InlineData("a/b/c")]
    [InlineData("with space/ünïcode")]
    [InlineData("-a/~")]
    [InlineData("a..b")]
    public void A_path_below_the_root_is_taken_and_its_data_is_kept_at_the_end(string path)
    {
        var spec = Parse(("path", path));
        Assert.Equal((path, OnRemove.Retain), (spec.Path, spec.OnRemove));
        Assert.Equal(OnRemove.Delete, Parse(("on-remove", "delete"), ("path", path)).OnRemove);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("../a")]
    [InlineData("a/..")]
    [InlineData("a/../b")]
    [InlineData("./a")]
    [InlineData(".trash/a.0")]
    [InlineData("a/.b")]
    public void Any_other_path_is_refused(string path) =>
        Assert.StartsWith($"option path is \"{path}\": name an existing directory", Refused(("path", path)), StringComparison.Ordinal);

    [Fact]
    public void Limits_are_told()
    {
        Assert.Equal("option \"size\" has no value: write it as key=value", Refused(("size", null)));
        Assert.Contains("257 options are too many", Refused([.. Enumerable.Range(0, 257).Select(i => ($"label.{i}", (string?)""))]), StringComparison.Ordinal);
        Assert.Equal(4096, Parse(("label.a", new string('v', 4096))).Labels["a"].Length);
        Assert.Equal("option label.a is longer than 4096 characters: shorten it", Refused(("label.a", new string('v', 4097))));
        Assert.Contains("label \"" + new string('k', 64) + "…\" is not allowed", Refused(("label." + new string('k', 129), "v")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("label.a\nb")]
    [InlineData("label.a b")]
    [InlineData("label.ä")]
    [InlineData("label.")]
    [InlineData("Label.a")]
    [InlineData("o\nption")]
    public void A_key_with_foreign_characters_is_refused_in_one_line(string key)
    {
        foreach (var value in new[] { "v", "\n", new string('v', 5000) }) Assert.DoesNotContain(Refused((key, value)), char.IsControl);
    }

    static string Catalog(AccessMode access) => VolumeManager.Catalog.EnumText.Of(access);
}
