using System.CommandLine;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary>How the verbs that ask the daemon find it.</summary>
internal static class AdminFlags
{
    internal static readonly string[] Keys = ["admin-socket"];

    internal static AdminClient Open(ParseResult parsed, Dictionary<string, Option<string?>> flags) =>
        new(SettingsBinder.Bind(key => flags.TryGetValue(key, out var flag) ? parsed.GetValue(flag) : null).Settings.AdminSocket);
}
