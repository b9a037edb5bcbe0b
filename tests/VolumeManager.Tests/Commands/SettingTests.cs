using Microsoft.Extensions.Logging;
using VolumeManager.Commands;

namespace VolumeManager.Tests.Commands;

[Trait("Catalog", "none")]
public class SettingTests
{
    static Setting.Bound Apply(string key, string value) => Setting.All.Single(s => s.Key == key).Apply(new Setting.Bound(new Settings(), new LogSettings()), value);

    [Theory]
    [InlineData("0", 0)]
    [InlineData("0s", 0)]
    [InlineData("500ms", 0.5)]
    [InlineData("30s", 30)]
    [InlineData("15m", 900)]
    [InlineData("24h", 86_400)]
    [InlineData("90d", 7_776_000)]
    [InlineData("3650d", 315_360_000)]
    public void Durations_have_units(string text, double seconds)
    {
        Assert.Equal(seconds, Apply("trash-retention", text).Settings.TrashRetention.TotalSeconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("+1s")]
    [InlineData("1.5h")]
    [InlineData("1 h")]
    [InlineData("1h30m")]
    [InlineData("1w")]
    [InlineData("1H")]
    [InlineData("1sm")]
    [InlineData("3651d")]
    [InlineData("99999999999d")]
    [InlineData("00:30:00")]
    [InlineData("forever")]
    public void What_is_no_duration_is_refused(string text) =>
        Assert.StartsWith("write a duration", Assert.Throws<FormatException>(() => Apply("trash-retention", text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("history-retention")]
    [InlineData("usage-daily-retention")]
    [InlineData("reconcile-interval")]
    public void A_period_is_longer_than_zero(string key) =>
        Assert.Contains("longer than zero", Assert.Throws<FormatException>(() => Apply(key, "0")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("/a/b", "/a/b")]
    [InlineData("/a/b/", "/a/b")]
    [InlineData("/a//b/../c", "/a/c")]
    [InlineData("/", "/")]
    public void Paths_are_absolute_and_plain(string given, string path) => Assert.Equal(path, Apply("data-root", given).Settings.DataRoot);

    [Theory]
    [InlineData("socket")]
    [InlineData("admin-socket")]
    [InlineData("state-dir")]
    [InlineData("mount-root")]
    [InlineData("data-root")]
    [InlineData("engine-socket")]
    public void Other_paths_are_refused(string key)
    {
        foreach (var path in new[] { "", "a", "./a", "~/a", "/a\0b" }) Assert.Equal("write an absolute path", Assert.Throws<FormatException>(() => Apply(key, path)).Message);
    }

    [Theory]
    [InlineData("trace", LogLevel.Trace)]
    [InlineData("Warning", LogLevel.Warning)]
    [InlineData("critical", LogLevel.Critical)]
    public void Log_levels_are_words(string text, LogLevel level) => Assert.Equal(level, Apply("log-level", text).Log.Level);

    [Theory]
    [InlineData("log-level", "")]
    [InlineData("log-level", "2")]
    [InlineData("log-level", "loud")]
    [InlineData("log-level", "info,debug")]
    [InlineData("log-format", "xml")]
    [InlineData("log-format", "")]
    [InlineData("backend", "NFS")]
    [InlineData("nfs-server", "nas:/a")]
    [InlineData("nfs-export", "a")]
    [InlineData("nfs-options", "suid")]
    [InlineData("export-directory", "served")]
    [InlineData("export-directory", "/with space")]
    [InlineData("export-directory", "/served(rw)")]
    [InlineData("export-squash", "none")]
    [InlineData("address", "host-1")]
    [InlineData("address", "10.1")]
    [InlineData("nfs-options", "nolock")]
    [InlineData("migrate", "yes")]
    [InlineData("migrate", "")]
    [InlineData("admin-listen", "9443")]
    [InlineData("admin-listen", "0.0.0.0")]
    [InlineData("admin-listen", "0.0.0.0:0")]
    [InlineData("admin-listen", "host:9443")]
    [InlineData("admin-url", "http://host:9443")]
    [InlineData("admin-url", "https://user:secret@host")]
    [InlineData("admin-url", "https://host/v1")]
    [InlineData("admin-url", "host:9443")]
    [InlineData("host-name", "")]
    [InlineData("host-name", "a\nb")]
    public void Other_values_are_refused_with_what_to_write(string key, string value) => Assert.NotEmpty(Assert.Throws<FormatException>(() => Apply(key, value)).Message);

    [Fact]
    public void Every_setting_has_its_variable_and_tells_its_default()
    {
        Assert.All(Setting.All, s => Assert.Matches("^VOLMAN_[A-Z_]+$", s.Variable));
        Assert.All(Setting.All, s => Assert.Contains("[default: ", s.Description, StringComparison.Ordinal));
        Assert.Equal(Setting.All.Length, Setting.All.Select(s => s.Key).Distinct().Count());
    }
}
