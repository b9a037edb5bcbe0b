using System.Data.Common;

namespace VolumeManager.Catalog;

internal static class RowReading
{
    /// <summary>Databases keep no kind of time: all of ours are UTC.</summary>
    internal static DateTime GetUtc(this DbDataReader row, int column) => DateTime.SpecifyKind(row.GetDateTime(column), DateTimeKind.Utc);

    /// <summary>The same where a time that cannot be read must not hide the row: it counts as long ago. PostgreSQL has times of 290,000 years.</summary>
    internal static DateTime GetUtcOrEpoch(this DbDataReader row, int column)
    {
        try
        {
            return row.GetUtc(column);
        }
        catch (Exception e) when (IsNoValue(e))
        {
            return DateTime.UnixEpoch;
        }
    }

    /// <summary>Whether a column holds what its type here cannot: a time of no calendar, a number that is too large, or in SQLite a text where a number should be.</summary>
    internal static bool IsNoValue(Exception e) => e is InvalidCastException or FormatException or ArgumentException or OverflowException or InvalidOperationException;
}
