using System.CommandLine;
using System.CommandLine.Parsing;
using VolumeManager.Admin;
using VolumeManager.Volumes;

namespace VolumeManager.Commands;

/// <summary>How the verbs that ask the daemon find it.</summary>
internal static class AdminFlags
{
    internal static readonly string[] Keys = ["admin-socket"];

    /// <summary>Refuses what can be neither a name nor an id: in an address it could mean something else.</summary>
    internal static void CheckNames(ArgumentResult named)
    {
        foreach (var token in named.Tokens)
        {
            if (!VolumeName.IsValid(token.Value) && !Guid.TryParse(token.Value, out _)) named.AddError(VolumeName.Refusal(token.Value));
        }
    }

    /// <summary>The filters that were given, as a request has them behind its question mark.</summary>
    internal static string Query(params (string Key, string? Value)[] filters) =>
        string.Join('&', filters.Where(f => f.Value is not null).Select(f => $"{f.Key}={Uri.EscapeDataString(f.Value!)}"));

    internal static AdminClient Open(ParseResult parsed, Dictionary<string, Option<string?>> flags) =>
        new(SettingsBinder.Bind(key => flags.TryGetValue(key, out var flag) ? parsed.GetValue(flag) : null).Settings.AdminSocket);
}
