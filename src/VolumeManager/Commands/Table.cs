namespace VolumeManager.Commands;

/// <summary>Rows for people: each column begins below its heading, and nothing trails.</summary>
internal static class Table
{
    /// <param name="rows">The headings first.</param>
    internal static void Write(IReadOnlyList<string[]> rows)
    {
        var lines = rows.Select(row => row.Select(OneLine).ToArray()).ToList();
        var widths = Enumerable.Range(0, lines[0].Length).Select(column => lines.Max(row => row[column].Length)).ToArray();
        foreach (var row in lines) Console.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }

    /// <summary>Without what a terminal takes for a command or for a new line: names of directories, and what an engine sent, may hold it.</summary>
    internal static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? '?' : c));
}
