using System.Text.Json;
using System.Text.RegularExpressions;
using VolumeManager.EndToEnd.Daemons;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>plugin/config.json beside the program that it configures.</summary>
public sealed partial class PluginConfig
{
    /// <summary>A kernel's NFS server is set up by programs and files of the host (exportfs, /etc/exports.d), which a plugin does not have; nor does it have the engine's socket.</summary>
    static readonly string[] s_hostOnly = ["VOLMAN_EXPORT_DIRECTORY", "VOLMAN_EXPORT_SQUASH", "VOLMAN_ENGINE_SOCKET"];

    /// <summary>Where the engine and the plugin meet: given by the rest of config.json.</summary>
    static readonly string[] s_fixed = ["VOLMAN_SOCKET", "VOLMAN_STATE_DIR", "VOLMAN_MOUNT_ROOT", "VOLMAN_DATA_ROOT"];

    [Fact]
    public async Task Every_setting_can_be_set_and_is_described()
    {
        var help = (await Command.RunAsync(Poll.Patience, DaemonBinary.Path, "serve", "--help")).MustSucceed().Output;
        string[] settings = [.. Variable().Matches(help).Select(match => match.Groups["name"].Value).Except(s_hostOnly).Order(StringComparer.Ordinal)];
        using var config = await ReadAsync();
        var variables = config.RootElement.GetProperty("env").EnumerateArray().ToList();

        Assert.NotEmpty(settings);
        Assert.Equal(settings, variables.Select(NameOf).Order(StringComparer.Ordinal));
        Assert.Equal(s_fixed, variables.Where(variable => !IsSettable(variable, "value")).Select(NameOf));
        Assert.All(variables, variable => Assert.NotEqual("", variable.GetProperty("description").GetString()));
        Assert.All(config.RootElement.GetProperty("mounts").EnumerateArray(), mount => Assert.True(IsSettable(mount, "source")));
    }

    [Fact]
    public async Task It_asks_for_no_more_than_it_needs()
    {
        using var config = await ReadAsync();
        var linux = config.RootElement.GetProperty("linux");

        Assert.Equal(["CAP_SYS_ADMIN"], linux.GetProperty("capabilities").EnumerateArray().Select(capability => capability.GetString()));
        Assert.False(linux.TryGetProperty("devices", out _) || linux.TryGetProperty("allowalldevices", out _));
        Assert.DoesNotContain("docker.sock", config.RootElement.GetRawText(), StringComparison.Ordinal);
    }

    static async Task<JsonDocument> ReadAsync() =>
        JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(DaemonBinary.RepositoryRoot(), "plugin/config.json")));

    static string? NameOf(JsonElement variable) => variable.GetProperty("name").GetString();

    static bool IsSettable(JsonElement element, string what) =>
        element.TryGetProperty("settable", out var settable) && settable.EnumerateArray().Any(entry => entry.GetString() == what);

    [GeneratedRegex(@"\[(?<name>VOLMAN_[A-Z_]+)\]", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Variable();
}
