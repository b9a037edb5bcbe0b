using System.Data.Common;

namespace VolumeManager.Catalog;

internal static class RowReading
{
    /// <summary>Databases keep no kind of time: all of ours are UTC.</summary>
    internal static DateTime GetUtc(this DbDataReader row, int column) => DateTime.SpecifyKind(row.GetDateTime(column), DateTimeKind.Utc);
}
