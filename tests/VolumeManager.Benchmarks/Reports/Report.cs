using System.Text;

namespace VolumeManager.Benchmarks.Reports;

/// <summary>Markdown on stdout, section by section as it is measured, and kept for a file.</summary>
internal sealed class Report
{
    readonly StringBuilder _whole = new();

    internal void Text(string text)
    {
        Console.WriteLine(text + "\n");
        _whole.Append(text).Append("\n\n");
    }

    internal void Table(string title, string note, string[] columns, IEnumerable<string[]> rows)
    {
        var all = rows.Prepend(columns).ToList();
        var widths = columns.Select((_, at) => all.Max(row => row[at].Length)).ToArray();
        var lines = all.Select(row => "| " + string.Join(" | ", row.Select((cell, at) => at == 0 ? cell.PadRight(widths[at]) : cell.PadLeft(widths[at]))) + " |").ToList();
        lines.Insert(1, "| " + string.Join(" | ", widths.Select((width, at) => at == 0 ? new string('-', width) : new string('-', width - 1) + ":")) + " |");
        Text($"## {title}\n\n{note}\n\n{string.Join('\n', lines)}");
    }

    internal void Save(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, _whole.ToString().TrimEnd() + "\n");
    }
}
