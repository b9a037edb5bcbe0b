namespace VolumeManager.Reports;

/// <summary>How a value is written: exact for programs, readable for people.</summary>
internal enum ColumnKind
{
    Text,

    /// <summary>A UUID.</summary>
    Id,

    /// <summary>A JSON object as text.</summary>
    Labels,

    /// <summary>A moment, UTC.</summary>
    Time,

    /// <summary>A day, UTC.</summary>
    Day,

    Bytes,

    /// <summary>How many.</summary>
    Count,

    /// <summary>A number with a fraction.</summary>
    Number,

    /// <summary>Seconds.</summary>
    Seconds,

    /// <summary>Yes or no.</summary>
    Flag,
}

/// <summary>One column of a report.</summary>
/// <param name="Name">As CSV and JSON have it, and the views where it comes from one.</param>
/// <param name="ForPrograms">Left out of tables, which are for people.</param>
internal sealed record ReportColumn(string Name, ColumnKind Kind = ColumnKind.Text, bool ForPrograms = false);

/// <summary>What a report takes beside its name.</summary>
[Flags]
internal enum ReportFilter
{
    None = 0,
    Since = 1,
    Label = 2,
    Host = 4,
    Volume = 8,
    Price = 16,
}

/// <summary>A question that people ask again and again, over the views of docs/reporting.md.</summary>
/// <param name="Summary">What it tells, for help.</param>
/// <param name="Since">What the filter means here.</param>
/// <param name="Sql">The query, the same text for both databases: all columns in order. Its last clause is ORDER BY.</param>
/// <param name="DefaultSince">How far it looks back when nobody says; null: all there is.</param>
/// <param name="Chart">The columns of a bar chart: whose, and how long.</param>
internal sealed record Report(
    string Name, string Summary, ReportFilter Filters, IReadOnlyList<ReportColumn> Columns, Func<ReportFilters, string> Sql, string? Since = null, TimeSpan? DefaultSince = null,
    (string Of, string Length)? Chart = null);
/// <summary>What is asked for.</summary>
/// <param name="Since">UTC.</param>
/// <param name="LabelValue">Null for any value of the key.</param>
/// <param name="Price">Of a GiB for a month of 30 days, in whatever currency.</param>
/// <param name="Limit">Of rows; null for all.</param>
internal sealed record ReportFilters(
    DateTime? Since = null, string? LabelKey = null, string? LabelValue = null, string? Host = null, string? Volume = null, double? Price = null, int? Limit = null)
{
    /// <summary>The first day that counts.</summary>
    internal DateOnly SinceDay => DateOnly.FromDateTime(Since ?? DateTime.MinValue);

    /// <summary>When the first day that counts is over, UTC.</summary>
    internal DateTime SinceDayEnd => Since is null ? DateTime.MinValue : SinceDay.AddDays(1).ToDateTime(TimeOnly.MinValue, DateTimeKind.Utc);

    /// <summary>What a filter is called in requests and on the command line.</summary>
    internal static string KeyOf(ReportFilter filter) => filter.ToString().ToLowerInvariant();

    /// <summary>The conditions that were asked for, joined by AND; TRUE when there is none.</summary>
    /// <param name="volumeId">The column for labels.</param>
    /// <param name="volume">The column for names; null when the report knows none.</param>
    internal string Where(string volumeId, string? volume, params IEnumerable<(bool IsAsked, string Condition)> more)
    {
        List<(bool IsAsked, string Condition)> conditions =
        [
            (LabelKey is not null, $"EXISTS (SELECT 1 FROM report_labels l WHERE l.volume_id = {volumeId} AND l.key = @LabelKey{(LabelValue is null ? "" : " AND l.value = @LabelValue")})"),
            (Volume is not null && volume is not null, $"{volume} = @Volume"),
            .. more,
        ];
        return string.Join(" AND ", conditions.Where(c => c.IsAsked).Select(c => c.Condition).DefaultIfEmpty("TRUE"));
    }
}
