using System.Globalization;
using System.Text.Json;
using Spectre.Console;
using VolumeManager.Reports;
using VolumeManager.Volumes;

namespace VolumeManager.Commands;

/// <summary>A report for people: sizes of three digits, times of their zone, no columns that only programs want.</summary>
internal sealed class ReportTable
{
    // More bars are no picture.
    const int Bars = 31;

    readonly Report _report;
    readonly List<ReportColumn> _columns;
    readonly List<JsonElement> _rows;
    readonly TimeZoneInfo _zone;

    internal ReportTable(Report report, IEnumerable<JsonElement> rows, TimeZoneInfo zone)
    {
        _report = report;
        _rows = [.. rows];
        _zone = zone;
        // A column that says nothing takes no room, unless it is what the report is about.
        _columns = [.. report.Columns.Where((column, i) => !column.ForPrograms && (i == 0 || _rows.Count == 0 || _rows.Any(row => Cell(row, column).Length > 0)))];
    }

    /// <summary>Columns below their headings; no colours, no frame: for files, pipes and other programs' windows.</summary>
    internal void WritePlain(TextWriter to)
    {
        var lines = Lines(Heading).ToList();
        var widths = _columns.Select((_, column) => lines.Max(line => line[column].Length)).ToArray();
        foreach (var line in lines)
        {
            to.WriteLine(string.Join("  ", line.Select((cell, column) => IsNumber(_columns[column]) ? cell.PadLeft(widths[column]) : cell.PadRight(widths[column]))).TrimEnd());
        }
    }

    internal void WriteMarkdown(TextWriter to)
    {
        var isHeading = true;
        foreach (var line in Lines(column => column.Name))
        {
            to.WriteLine($"| {string.Join(" | ", line.Select(cell => cell.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("|", "\\|", StringComparison.Ordinal)))} |");
            if (isHeading) to.WriteLine($"|{string.Concat(_columns.Select(column => IsNumber(column) ? " ---: |" : " --- |"))}");
            isHeading = false;
        }
    }

    /// <summary>The table, and below it the report's chart if it has one.</summary>
    internal void WriteTo(IAnsiConsole terminal)
    {
        var table = new Spectre.Console.Table().Border(TableBorder.Simple);
        foreach (var column in _columns)
        {
            var heading = new TableColumn(new Text(Heading(column))) { NoWrap = column == _columns[0] };
            table.AddColumn(IsNumber(column) ? heading.RightAligned() : heading);
        }

        foreach (var line in Lines(Heading).Skip(1)) table.AddRow(line.Select(cell => new Text(cell)));
        terminal.Write(table);
        if (_report.Chart is { } chart) WriteChart(terminal, chart.Of, chart.Length);
    }

    void WriteChart(IAnsiConsole terminal, string of, string length)
    {
        var named = _report.Columns.First(column => column.Name == of);
        // Of days the latest, of all else the first: what shrinks has no bar.
        var bars = (named.Kind == ColumnKind.Day ? _rows.TakeLast(Bars) : _rows.Take(Bars)).Where(row => row.GetProperty(length).GetInt64() > 0).ToList();
        if (bars.Count < 2) return;
        var names = bars.ConvertAll(row => Cell(row, named));
        var lengths = bars.ConvertAll(row => row.GetProperty(length).GetInt64());
        var width = names.Max(name => name.Length);
        // Two spaces before a bar, and behind it one and a value.
        var room = Math.Max(1, Math.Min(100, terminal.Profile.Width) - width - "   999M".Length);
        foreach (var (name, bytes) in names.Zip(lengths))
        {
            terminal.Write(new Text($"{name.PadRight(width)}  "));
            terminal.Write(new Text(new string('█', (int)Math.Round((double)bytes / lengths.Max() * room)), new Style(Color.Teal)));
            terminal.Write(new Text($" {ByteSize.Text(bytes)}\n"));
        }
    }

    /// <summary>The headings, then the rows.</summary>
    IEnumerable<string[]> Lines(Func<ReportColumn, string> heading) => [[.. _columns.Select(heading)], .. _rows.Select(row => (string[])[.. _columns.Select(column => Cell(row, column))])];

    static string Heading(ReportColumn column) => (column.Kind switch
    {
        ColumnKind.Bytes when column.Name.EndsWith("_bytes", StringComparison.Ordinal) => column.Name[..^"_bytes".Length],
        ColumnKind.Time when column.Name.EndsWith("_at", StringComparison.Ordinal) => column.Name[..^"_at".Length],
        ColumnKind.Seconds => "for",
        _ => column.Name,
    }).Replace('_', ' ').ToUpperInvariant();

    static bool IsNumber(ReportColumn column) => column.Kind is ColumnKind.Bytes or ColumnKind.Count or ColumnKind.Number or ColumnKind.Seconds;

    string Cell(JsonElement row, ReportColumn column)
    {
        var value = row.GetProperty(column.Name);
        if (value.ValueKind == JsonValueKind.Null) return "";
        return column.Kind switch
        {
            ColumnKind.Bytes => value.GetInt64() is < 0 and var less ? $"-{ByteSize.Text(-less)}" : ByteSize.Text(value.GetInt64()),
            ColumnKind.Count => value.GetInt64().ToString("#,0", CultureInfo.InvariantCulture),
            ColumnKind.Number => value.GetDouble().ToString("#,0.00", CultureInfo.InvariantCulture),
            ColumnKind.Seconds => Duration(TimeSpan.FromSeconds(value.GetDouble())),
            ColumnKind.Time => Time(value.GetDateTime()),
            ColumnKind.Labels => string.Join(' ', value.EnumerateObject().Select(label => Plain($"{label.Name}={label.Value.GetString()}"))),
            ColumnKind.Flag => value.GetBoolean() ? "yes" : "no",
            _ => Plain(value.GetString()!),
        };
    }

    string Time(DateTime utc)
    {
        var local = TimeZoneInfo.ConvertTime(new DateTimeOffset(utc), _zone);
        return local.ToString(local.Offset == TimeSpan.Zero ? "yyyy-MM-dd HH:mm:ss'Z'" : "yyyy-MM-dd HH:mm:sszzz", CultureInfo.InvariantCulture);
    }

    // The two largest units.
    static string Duration(TimeSpan time) => time switch
    {
        { TotalDays: >= 1 } => $"{time.Days}d {time.Hours}h",
        { TotalHours: >= 1 } => $"{time.Hours}h {time.Minutes}m",
        { TotalMinutes: >= 1 } => $"{time.Minutes}m {time.Seconds}s",
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, time.TotalSeconds):0.0}s"),
    };

    // What a label holds must not move a terminal's cursor.
    static string Plain(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
}
