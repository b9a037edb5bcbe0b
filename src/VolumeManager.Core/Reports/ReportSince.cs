using System.Globalization;

namespace VolumeManager.Reports;

/// <summary>How far back a report looks: <c>12h</c>, <c>30d</c> or <c>8w</c> before now, or a day or moment of ISO 8601, UTC where it names no zone.</summary>
internal static class ReportSince
{
    /// <returns>UTC; null for all there is.</returns>
    /// <exception cref="FormatException">It is none of these.</exception>
    internal static DateTime? Parse(string? text, Report report, DateTime now)
    {
        if (text is null) return now - report.DefaultSince;
        if (Age(text) is { } age) return now - age;
        string[] formats = ["yyyy-MM-dd", "yyyy-MM-ddTHH:mmK", "yyyy-MM-dd HH:mmK", "yyyy-MM-ddTHH:mm:ss.FFFFFFFK", "yyyy-MM-dd HH:mm:ss.FFFFFFFK"];
        return DateTime.TryParseExact(text, formats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var moment)
            ? moment
            : throw new FormatException($"since is \"{text}\": write an age such as 12h, 30d or 8w, or a time such as 2026-11-21 or 2026-11-21T03:14Z");
    }

    static TimeSpan? Age(string text)
    {
        var hours = text is [.., var unit] ? unit switch { 'h' => 1, 'd' => 24, 'w' => 7 * 24, _ => 0 } : 0;
        // A hundred years: more is a typing error, and before the calendar's first day in the end.
        return hours > 0 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= 876_000 / hours
            ? TimeSpan.FromHours((double)number * hours)
            : null;
    }
}
