using System.CommandLine;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary><c>volman event</c>: the history. Asks the daemon of this host.</summary>
internal static class EventCommand
{
    internal static Command Build() => new("event", "What changed, what failed, and who asked for it") { BuildList() };

    static Command BuildList()
    {
        var since = TimeOption("--since", "Only events of then or later");
        var until = TimeOption("--until", "Only events of before then");
        var kind = new Option<string?>("--kind") { Description = "Only events of this kind, such as create, mount or host-evict", HelpName = "kind" };
        var volume = new Option<string?>("--volume") { Description = "Only events of volumes of this name", HelpName = "name" };
        var host = new Option<string?>("--host") { Description = "Only events of this host", HelpName = "name" };
        var failed = new Option<bool>("--failed") { Description = "Only what was refused or failed" };
        var limit = new Option<int>("--limit") { Description = "How many at most, of the newest", HelpName = "number", DefaultValueFactory = _ => 100 };
        limit.Validators.Add(given =>
        {
            if (given.GetValueOrDefault<int>() is < 1 or > 10_000) given.AddError("--limit is a number from 1 to 10000");
        });
        var output = new OutputOption();
        var command = new Command("ls", "List the newest events, the last one last") { since, until, kind, volume, host, failed, limit, output };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var found = await daemon.ListEventsAsync(
                AdminFlags.Query(
                    ("since", TimeOf(parsed.GetValue(since))), ("until", TimeOf(parsed.GetValue(until))), ("kind", parsed.GetValue(kind)), ("volume", parsed.GetValue(volume)),
                    ("host", parsed.GetValue(host)), ("failed", parsed.GetValue(failed) ? "true" : null), ("limit", $"{parsed.GetValue(limit)}")),
                cancellation);
            output.Write(parsed, [.. found.Reverse()], AdminJson.Default.IReadOnlyListEventView, Write);
        }));
        return command;
    }

    static void Write(IReadOnlyList<EventView> events) => Table.Write(
    [
        ["AT", "HOST", "KIND", "VOLUME", "BY", "WHAT"],
        .. events.Select(e => (string[])[$"{e.At:u}", e.Host, e.Kind, e.Volume ?? "", e.Actor ?? "", e.Error is null ? e.Detail ?? "" : $"failed: {e.Error}"]),
    ]);

    static Option<string?> TimeOption(string name, string description)
    {
        var option = new Option<string?>(name) { Description = $"{description}: 2026-11-01T00:00:00Z, or 24h for that long ago", HelpName = "time" };
        option.Validators.Add(given =>
        {
            try
            {
                _ = TimeOf(given.GetValueOrDefault<string?>());
            }
            catch (FormatException)
            {
                given.AddError($"{name} is a time such as 2026-11-01T00:00:00Z, or a duration such as 30m, 24h or 90d");
            }
        });
        return option;
    }

    /// <exception cref="FormatException">It is neither a time nor a duration.</exception>
    static string? TimeOf(string? text) => text is null ? null
        : QueryParameter.TryTime(text, out var time) ? $"{time:O}"
        : $"{DateTime.UtcNow - Setting.Duration(text):O}";
}
