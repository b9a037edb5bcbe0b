using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using VolumeManager.Reports;

namespace VolumeManager.Commands;

/// <summary><c>volman report</c>: what people ask of the catalog again and again. Asks the daemon of this host, so that it needs no secret of a database.</summary>
internal static partial class ReportCommand
{
    // A table is measured before it is written, so it is held in memory.
    const int TableRows = 1000;

    internal static Command Build()
    {
        var command = new Command("report", "Tables of volumes, usage, mounts, hosts, growth and cost: for people, or as CSV and JSON for programs");
        foreach (var report in StandardReports.All) command.Subcommands.Add(Build(report));
        return command;
    }

    static Command Build(Report report)
    {
        var format = new Option<string>("--format")
        {
            Description = $"table and md, for people, with at most {TableRows} rows unless --limit says more; csv and json, for programs, with every column and exact values",
            HelpName = "format",
            DefaultValueFactory = _ => "table",
        };
        format.AcceptOnlyFromAmong("table", "csv", "json", "md");
        var limit = new Option<int?>("--limit") { Description = "At most so many rows", HelpName = "rows" };
        limit.Validators.Add(given =>
        {
            if (given.GetValueOrDefault<int?>() < 1) given.AddError("--limit: write a number from 1");
        });
        var command = new Command(report.Name, report.Summary) { format, limit };
        var filters = Filters(report);
        foreach (var filter in filters) command.Options.Add(filter);
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var asked = filters.Select(filter => (filter.Name.TrimStart('-'), parsed.GetValue(filter)));
            var most = parsed.GetValue(limit);
            if (parsed.GetValue(format) is ("csv" or "json") and var forPrograms)
            {
                var query = AdminFlags.Query([("format", forPrograms), ("limit", Text(most)), .. asked]);
                await using var output = Console.OpenStandardOutput();
                await daemon.ReadReportAsync(report.Name, query, text => text.CopyToAsync(output, cancellation), cancellation);
                return;
            }

            var (shown, rows) = (most ?? TableRows, new List<JsonElement>());
            // One more than is shown tells whether there is more.
            var one = AdminFlags.Query([("limit", Text(shown == int.MaxValue ? shown : shown + 1)), .. asked]);
            await daemon.ReadReportAsync(report.Name, one, async text =>
            {
                await foreach (var row in JsonSerializer.DeserializeAsyncEnumerable(text, ReportJson.Default.JsonElement, cancellation)) rows.Add(row);
            }, cancellation);
            var table = new ReportTable(report, rows.Take(shown), TimeZoneInfo.Local);
            if (parsed.GetValue(format) == "md") table.WriteMarkdown(Console.Out);
            else if (Console.IsOutputRedirected) table.WritePlain(Console.Out);
            else table.WriteTo(Spectre.Console.AnsiConsole.Console);
            if (rows.Count > shown) await Console.Error.WriteLineAsync($"volman: these are the first {shown} rows, there are more: see them with --limit or --format csv");
        }));
        return command;
    }

    static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);

    static List<Option<string?>> Filters(Report report)
    {
        var filters = new List<Option<string?>>();
        void Add(ReportFilter filter, string description, string help)
        {
            if (report.Filters.HasFlag(filter)) filters.Add(new Option<string?>("--" + ReportFilters.KeyOf(filter)) { Description = description, HelpName = help });
        }

        Add(
            ReportFilter.Since,
            $"{report.Since}: an age such as 12h, 30d or 8w, or a time such as 2026-11-21 or 2026-11-21T03:14Z{(report.DefaultSince is { } age ? $" [default: {age.TotalDays:0}d]" : "")}", "age-or-time");
        Add(ReportFilter.Label, "Only volumes with this label, or with this value of it" + (report.Filters.HasFlag(ReportFilter.Price) ? "; a key alone makes a row of each of its values" : ""), "key[=value]");
        Add(ReportFilter.Host, report.Name == "volumes" ? "Only volumes that this host has mounted" : "Only this host", "name");
        Add(ReportFilter.Volume, "Only this volume", "name");
        Add(ReportFilter.Price, "The price of a GiB for a month of 30 days, in whatever currency", "number");
        return filters;
    }

    [JsonSerializable(typeof(JsonElement))]
    sealed partial class ReportJson : JsonSerializerContext;
}
