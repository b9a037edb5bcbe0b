using System.CommandLine;
using VolumeManager.Commands;

namespace VolumeManager.Tests.Commands;

/// <summary>Sources and their order. The environment is the whole process's, and put back as it was.</summary>
[Collection(WholeProcess.Name)]
[Trait("Catalog", "none")]
public sealed class SettingsBinderTests : IDisposable
{
    readonly ScratchFolder _folder = new();
    readonly List<string> _set = [];

    public void Dispose()
    {
        foreach (var name in _set) Environment.SetEnvironmentVariable(name, null);
        _folder.Dispose();
    }

    void Set(string variable, string value)
    {
        Assert.Null(Environment.GetEnvironmentVariable(variable));
        Environment.SetEnvironmentVariable(variable, value);
        _set.Add(variable);
    }

    string FileOf(string json)
    {
        var path = _folder.Of("volman.json");
        File.WriteAllText(path, json);
        return path;
    }

    /// <summary>Binds as the command line does.</summary>
    static (Settings Settings, LogSettings Log) Bind(params string[] arguments)
    {
        var command = new RootCommand();
        var flags = SettingsBinder.AddFlags(command, [.. Setting.All.Select(s => s.Key)]);
        var parsed = command.Parse(arguments);
        Assert.Empty(parsed.Errors);
        return SettingsBinder.Bind(key => parsed.GetValue(flags[key]));
    }

    static string Refused(params string[] arguments) => Assert.Throws<VolumeException>(() => Bind(arguments)).Message;

    [Fact]
    public void Without_a_source_the_defaults_are_in_force() => Assert.Equal((new Settings(), new LogSettings()), Bind());

    [Fact]
    public void Later_sources_win()
    {
        var file = FileOf("""{"data-root": "/file", "mount-root": "/file", "state-dir": "/file"}""");
        Set("VOLMAN_MOUNT_ROOT", "/variable");
        Set("VOLMAN_STATE_DIR", "/variable");
        var (settings, _) = Bind("--config", file, "--state-dir", "/flag");
        Assert.Equal(("/file", "/variable", "/flag"), (settings.DataRoot, settings.MountRoot, settings.StateDirectory));
        Assert.Equal(new Settings().Socket, settings.Socket);
    }

    [Fact]
    public void The_file_is_named_by_a_flag_or_a_variable()
    {
        Set("VOLMAN_CONFIG", FileOf("""{"host-name": "from-variable"}"""));
        Assert.Equal("from-variable", Bind().Settings.HostName);
        var other = _folder.Of("other.json");
        File.WriteAllText(other, """{"host-name": "from-flag"}""");
        Assert.Equal("from-flag", Bind("--config", other).Settings.HostName);
    }

    [Fact]
    public void Every_setting_can_come_from_every_source()
    {
        var values = new Dictionary<string, string>
        {
            ["socket"] = "/s",
            ["admin-socket"] = "/a",
            ["admin-listen"] = "192.0.2.1:9443",
            ["admin-tls-certificate"] = "/tls/cert.pem",
            ["admin-tls-key"] = "/tls/key.pem",
            ["admin-url"] = "https://host:9443",
            ["admin-ca"] = "/tls/ca.pem",
            ["token-file"] = "/token",
            ["state-dir"] = "/state",
            ["mount-root"] = "/mnt",
            ["data-root"] = "/data",
            ["backend"] = "nfs",
            ["nfs-server"] = "nas",
            ["nfs-export"] = "/volumes",
            ["nfs-options"] = "vers=4.1",
            ["export-directory"] = "/served",
            ["export-squash"] = "all_squash",
            ["address"] = "192.0.2.1",
            ["host-name"] = "h",
            ["database"] = "Host=db",
            ["lease"] = "9s",
            ["takeover-grace"] = "5s",
            ["call-deadline"] = "25s",
            ["migrate"] = "false",
            ["trash-retention"] = "1h",
            ["history-retention"] = "2d",
            ["reconcile-interval"] = "3s",
            ["usage-daily-retention"] = "300d",
            ["usage-interval"] = "5m",
            ["engine-grace"] = "4m",
            ["engine-socket"] = "/docker",
            ["log-level"] = "debug",
            ["log-format"] = "json",
        };
        // One of the two may be set.
        Assert.Equal(Setting.All.Select(s => s.Key).Where(key => key != "database-file").Order(), values.Keys.Order());
        var byFlag = Bind([.. values.SelectMany(v => new[] { "--" + v.Key, v.Value })]);
        var byFile = Bind("--config", FileOf(System.Text.Json.JsonSerializer.Serialize(values)));
        foreach (var setting in Setting.All.Where(s => values.ContainsKey(s.Key))) Set(setting.Variable, values[setting.Key]);
        Assert.Equal(byFlag, byFile);
        Assert.Equal(byFlag, Bind());
        Assert.Equal(TimeSpan.FromDays(2), byFlag.Settings.HistoryRetention);
        Assert.False(byFlag.Settings.Migrate);
    }

    [Fact]
    public void The_admin_API_is_not_served_without_a_certificate() => Assert.Equal(
        "admin-listen 0.0.0.0:9443 has no certificate: set admin-tls-certificate, for the admin API is not served without TLS", Refused("--admin-listen", "0.0.0.0:9443"));

    [Fact]
    public void The_file_may_have_comments_and_values_of_any_kind()
    {
        var (settings, _) = Bind("--config", FileOf("""
            {
              // why
              "migrate": false, "trash-retention": 0, "host-name": "h",
            }
            """));
        Assert.Equal((false, TimeSpan.Zero, "h"), (settings.Migrate, settings.TrashRetention, settings.HostName));
    }

    [Fact]
    public void All_faults_are_told_at_once_each_with_its_source_and_key()
    {
        Set("VOLMAN_ENGINE_GRACE", "soon");
        Set("VOLMAN_NFS_SERVER", "nas:/volumes");
        Set("VOLMAN_USAGE_INTERVAL", "10ms");
        Set("VOLMAN_ADMIN_SOCKET", "admin.sock");
        Set("VOLMAN_DATABASE", "Host=db;Password=secret");
        Set("VOLMAN_DATABASE_FILE", "/nowhere");
        var error = Refused("--config", FileOf("""{"data-root": "relative", "typo": 1}"""), "--trash-retention", "long", "--log-level", "loud");
        foreach (var fault in new[]
        {
            "typo in ", "is no setting: see volman serve --help", "data-root in the configuration file is \"relative\": write an absolute path",
            "--trash-retention is \"long\": write a duration", "VOLMAN_ENGINE_GRACE is \"soon\": write a duration", "--log-level is \"loud\": use trace",
            "VOLMAN_NFS_SERVER is \"nas:/volumes\": write a host name or an IP address",
            "VOLMAN_USAGE_INTERVAL is \"10ms\": write 0 or a duration of at least 1s",
            "VOLMAN_ADMIN_SOCKET is \"admin.sock\": write an absolute path",
            "VOLMAN_DATABASE_FILE is \"/nowhere\": there is no such file: make it", "database and database-file are both set: set one of them",
        })
        {
            Assert.Contains(fault, error, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("secret", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_connection_string_may_lie_in_a_file_of_its_own()
    {
        Set("VOLMAN_DATABASE_FILE", FileOf("Host=db;Password=secret\n"));
        Assert.Equal("Host=db;Password=secret", Bind().Settings.Database);
    }

    [Fact]
    public void A_file_for_the_connection_string_that_is_of_no_use_is_named_with_the_reason_and_the_cure()
    {
        foreach (var (path, fault) in new[]
        {
            (FileOf(" \n"), "the file is empty: write the connection string into it"),
            (_folder.FullPath, "it is a directory: name a file that holds the connection string"),
            (_folder.FullPath + "/missing", "there is no such file: make it, with the connection string in it"),
            (_folder.FullPath + "/missing/too", "there is no such file: make it, with the connection string in it"),
        })
        {
            Assert.Equal($"--database-file is \"{path}\": {fault}", Refused("--database-file", path));
        }
    }

    [Fact]
    public void A_connection_string_in_two_places_is_a_fault_wherever_they_are_and_is_not_shown()
    {
        var file = FileOf("Host=db;Password=secret");
        Assert.Equal("database and database-file are both set: set one of them", Refused("--database", "Host=other;Password=secret", "--database-file", file));
        Set("VOLMAN_DATABASE", "Host=other;Password=secret");
        Assert.Equal("database and database-file are both set: set one of them", Refused("--database-file", file));
        Set("VOLMAN_DATABASE_FILE", file);
        Assert.Equal("database and database-file are both set: set one of them", Refused());
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("null")]
    [InlineData("{'data-root': '/a'}")]
    public void A_file_that_is_no_JSON_object_is_named(string text)
    {
        var file = FileOf(text);
        Assert.StartsWith($"the configuration file {file} cannot be read: ", Refused("--config", file), StringComparison.Ordinal);
    }

    [Fact]
    public void A_named_file_that_is_missing_or_a_directory_is_a_fault()
    {
        foreach (var path in new[] { _folder.FullPath + "/missing.json", _folder.FullPath })
        {
            Assert.StartsWith($"the configuration file {path} cannot be read: ", Refused("--config", path), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void An_empty_name_of_a_file_is_a_fault_that_is_told() => Assert.StartsWith("the configuration file", Refused("--config", ""), StringComparison.Ordinal);

    [Fact]
    public void An_empty_variable_is_as_good_as_none()
    {
        // Managed plugins and Compose files set variables to nothing.
        Set("VOLMAN_DATA_ROOT", "");
        Set("VOLMAN_DATABASE", "");
        Set("VOLMAN_CONFIG", "");
        Assert.Equal((new Settings(), new LogSettings()), Bind());
    }

    [Fact]
    public void Variables_that_are_no_settings_are_found()
    {
        // Whoever runs the tests may have set some for them.
        var before = SettingsBinder.UnknownVariables().ToList();
        Set("VOLMAN_SERVICE_HOST", "10.0.0.1");
        Set("VOLMAN_DATAROOT", "/a");
        Set("VOLMAN_DATA_ROOT", "/a");
        Assert.Equal(["VOLMAN_DATAROOT", "VOLMAN_SERVICE_HOST"], SettingsBinder.UnknownVariables().Except(before, StringComparer.Ordinal));
        Assert.Equal("/a", Bind().Settings.DataRoot);
    }

    [Theory]
    [InlineData("/srv", "/srv", "/state", "lie one within the other")]
    [InlineData("/srv", "/srv/mnt", "/state", "lie one within the other")]
    [InlineData("/srv/data", "/srv", "/state", "lie one within the other")]
    [InlineData("/srv", "/mnt", "/srv/state", "lies within data-root")]
    [InlineData("/srv", "/mnt", "/mnt", "lies within mount-root")]
    public void Roots_that_lie_one_within_another_are_refused(string data, string mounts, string state, string expected) =>
        Assert.Contains(expected, Refused("--data-root", data, "--mount-root", mounts, "--state-dir", state), StringComparison.Ordinal);
}
