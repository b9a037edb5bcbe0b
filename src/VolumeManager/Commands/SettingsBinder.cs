using System.Collections;
using System.CommandLine;
using System.Text.Json;
using VolumeManager.Linux;

namespace VolumeManager.Commands;

/// <summary>Binds the settings once from their sources, later ones winning: defaults, file, environment, flags. All faults are told together.</summary>
internal static class SettingsBinder
{
    const string ConfigKey = "config";
    const string DefaultFile = "/etc/volman/volman.json";

    /// <param name="keys">The settings that the command uses; others come from file and environment all the same.</param>
    internal static Dictionary<string, Option<string?>> AddFlags(Command command, IReadOnlyCollection<string> keys)
    {
        var flags = new Dictionary<string, Option<string?>>(StringComparer.Ordinal)
        {
            [ConfigKey] = new("--" + ConfigKey) { Description = $"A JSON file of these settings, such as {{\"data-root\": \"/srv\"}} [default: {DefaultFile}, if there is one]", HelpName = "file" },
        };
        foreach (var setting in Setting.All.Where(s => keys.Contains(s.Key)))
        {
            flags[setting.Key] = new("--" + setting.Key) { Description = $"{setting.Description} [{setting.Variable}]", HelpName = "value" };
        }

        foreach (var flag in flags.Values) command.Options.Add(flag);
        return flags;
    }

    /// <param name="flags">Those of the verb (<see cref="AddFlags"/>).</param>
    /// <exception cref="VolumeException">One or more values are not allowed; the message has all of them, each with its source and key.</exception>
    internal static (Settings Settings, LogSettings Log) Bind(ParseResult parsed, Dictionary<string, Option<string?>> flags) =>
        Bind(key => flags.TryGetValue(key, out var flag) ? parsed.GetValue(flag) : null);

    /// <param name="flag">The value of a flag, or null when it was not given.</param>
    /// <exception cref="VolumeException">One or more values are not allowed; the message has all of them, each with its source and key.</exception>
    internal static (Settings Settings, LogSettings Log) Bind(Func<string, string?> flag)
    {
        var faults = new List<string>();
        var file = ReadFile(flag(ConfigKey) ?? (Environment.GetEnvironmentVariable("VOLMAN_CONFIG") is { Length: > 0 } named ? named : null), faults);
        var given = new HashSet<string>(StringComparer.Ordinal);
        var bound = new Setting.Bound(new Settings(), new LogSettings());
        foreach (var setting in Setting.All)
        {
            var (source, value) = flag(setting.Key) is { } passed ? ("--" + setting.Key, passed)
                : Environment.GetEnvironmentVariable(setting.Variable) is { Length: > 0 } variable ? (setting.Variable, variable)
                : file.TryGetValue(setting.Key, out var kept) ? ($"{setting.Key} in the configuration file", kept)
                : ("", null);
            if (value is null) continue;
            given.Add(setting.Key);
            try
            {
                bound = setting.Apply(bound, value);
            }
            catch (Exception e) when (e is FormatException or ArgumentException)
            {
                faults.Add(setting.IsSecret ? $"{source}: {e.Message}" : $"{source} is \"{value}\": {e.Message}");
            }
        }

        if (given.Contains("database") && given.Contains("database-file")) faults.Add("database and database-file are both set: set one of them");
        if (bound.Settings.AdminSocket == bound.Settings.Socket) faults.Add($"socket and admin-socket are both {bound.Settings.Socket}: choose separate paths");
        if (bound.Settings is { AdminListen: not null, AdminTlsCertificate: "" }) faults.Add($"admin-listen {bound.Settings.AdminListen} has no certificate: set admin-tls-certificate, for the admin API is not served without TLS");
        faults.AddRange(Overlaps(bound.Settings));
        if (bound.Settings is { ExportDirectory.Length: > 0 } serving && (serving.NfsServer.Length == 0 || serving.NfsExport.Length == 0 || serving.Database.Length == 0))
        {
            faults.Add("export-directory serves a cluster: set database (or database-file), and nfs-server and nfs-export as on the hosts that are to mount it");
        }

        return faults.Count == 0 ? (bound.Settings, bound.Log) : throw new VolumeException(string.Join("; ", faults));
    }

    // One within another: a volume could be called as the other's folder, and its removal would take that along.
    static IEnumerable<string> Overlaps(Settings settings)
    {
        var (data, mounts, state) = (settings.DataRoot, settings.MountRoot, settings.StateDirectory);
        if (MountInfo.IsAtOrBelow(data, mounts) || MountInfo.IsAtOrBelow(mounts, data)) yield return $"data-root {data} and mount-root {mounts} lie one within the other: choose separate directories";
        if (settings.ExportDirectory is { Length: > 0 } export)
        {
            foreach (var (key, path) in ((string, string)[])[("data-root", data), ("mount-root", mounts), ("state-dir", state)])
            {
                if (MountInfo.IsAtOrBelow(export, path) || MountInfo.IsAtOrBelow(path, export)) yield return $"export-directory {export} and {key} {path} lie one within the other: choose separate directories";
            }
        }

        if (MountInfo.IsAtOrBelow(state, data)) yield return $"state-dir {state} lies within data-root {data}: choose separate directories";
        if (MountInfo.IsAtOrBelow(state, mounts)) yield return $"state-dir {state} lies within mount-root {mounts}: choose separate directories";
    }

    static Dictionary<string, string> ReadFile(string? named, List<string> faults)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        var path = named ?? DefaultFile;
        try
        {
            if (named is null && !File.Exists(path)) return values;
            using var json = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
            foreach (var property in json.RootElement.EnumerateObject())
            {
                if (!Array.Exists(Setting.All, s => s.Key == property.Name)) faults.Add($"{property.Name} in {path} is no setting: see volman serve --help");
                values[property.Name] = property.Value.ToString();
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException or ArgumentException)
        {
            faults.Add($"the configuration file {path} cannot be read: {e.Message}");
        }

        return values;
    }

    /// <summary>Variables that look like settings and are none: misspelt perhaps, or, as VOLMAN_SERVICE_HOST of Kubernetes, not meant for us. Worth a warning.</summary>
    internal static IEnumerable<string> UnknownVariables() => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
        .Select(variable => (string)variable.Key)
        .Where(name => name.StartsWith("VOLMAN_", StringComparison.Ordinal) && name is not ("VOLMAN_CONFIG" or AdminFlags.TokenVariable) && !Array.Exists(Setting.All, s => s.Variable == name))
        .Order(StringComparer.Ordinal);
}
