namespace VolumeManager.Commands;

/// <summary>Rows for people: each column begins below its heading, and nothing trails.</summary>
internal static class Table
{
    /// <param name="rows">The headings first.</param>
    internal static void Write(IReadOnlyList<string[]> rows)
    {
        var widths = Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length)).ToArray();
        foreach (var row in rows) Console.WriteLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
    }
}
