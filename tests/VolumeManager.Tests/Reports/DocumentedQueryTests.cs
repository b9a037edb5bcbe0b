using System.Data.Common;
using System.Globalization;
using System.Text.RegularExpressions;

namespace VolumeManager.Tests.Reports;

/// <summary>docs/reporting.md holds what it says: each query runs as it stands there, each column is there, and both databases answer alike.</summary>
[Trait("Catalog", "postgres")]
public sealed partial class DocumentedQueryTests(ReportCatalogs catalogs) : IClassFixture<ReportCatalogs>
{
    /// <param name="Sqlite">The same text where the databases do not differ.</param>
    sealed record Question(string Title, string Postgres, string Sqlite);

    static readonly string s_document = File.ReadAllText(Path.Combine(Clusters.MigrationTests.RepositoryRoot(), "docs/reporting.md"));

    static IEnumerable<Question> Questions() =>
        from part in s_document.Split("\n### ")
        let texts = Fence().Matches(part)
        where texts.Count > 0
        select new Question(part[..part.IndexOf('\n', StringComparison.Ordinal)], TextOf(texts, "postgresql"), TextOf(texts, "sqlite"));

    static string TextOf(MatchCollection texts, string database) => texts.Single(text => text.Groups["for"].Value.Trim() is var only && (only.Length == 0 || only == database)).Groups["sql"].Value;

    public static TheoryData<string> Titles => [.. Questions().Select(question => question.Title)];

    [Fact]
    public void There_are_twenty() => Assert.Equal(Enumerable.Range(1, 20), Questions().Select(question => int.Parse(question.Title.Split('.')[0], CultureInfo.InvariantCulture)));

    [Theory, MemberData(nameof(Titles))]
    public async Task A_question_has_the_same_answer_on_both_databases(string title)
    {
        var question = Questions().Single(q => q.Title == title);
        var postgres = await AskAsync(ReportCatalogs.Postgres, question.Postgres);
        var sqlite = await AskAsync(ReportCatalogs.Sqlite, question.Sqlite);
        Assert.NotEmpty(postgres.Rows);
        Assert.Equal(postgres.Columns, sqlite.Columns);
        Assert.Equal(postgres.Rows.Count, sqlite.Rows.Count);
        foreach (var (one, other) in postgres.Rows.Zip(sqlite.Rows)) AssertAlike(one, other);
    }

    /// <summary>What the document says of a view is what the view has, in the same order, on both databases.</summary>
    [Fact]
    public async Task The_views_have_the_documented_columns()
    {
        var views = ViewTable().Matches(s_document).ToDictionary(view => view.Groups["name"].Value, view => Column().Matches(view.Groups["rows"].Value).Select(row => row.Groups["name"].Value).ToList());
        Assert.Equal(9, views.Count);
        foreach (var (view, columns) in views)
        {
            Assert.Equal(columns, (await AskAsync(ReportCatalogs.Postgres, $"SELECT * FROM {view}")).Columns);
            Assert.Equal(columns, (await AskAsync(ReportCatalogs.Sqlite, $"SELECT * FROM {view}")).Columns);
        }
    }

    async Task<(List<string> Columns, List<object[]> Rows)> AskAsync(string database, string sql)
    {
        await using var connection = await catalogs.OpenAsync(database);
        await using DbCommand command = connection.CreateCommand();
        // The document's day is one of the history's here.
        command.CommandText = sql.Replace("2026-11-21", catalogs.History.Ago(4).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), StringComparison.Ordinal);
        await using var reader = await command.ExecuteReaderAsync();
        var columns = Enumerable.Range(0, reader.FieldCount).Select(reader.GetName).ToList();
        var rows = new List<object[]>();
        while (await reader.ReadAsync())
        {
            var row = new object[columns.Count];
            reader.GetValues(row);
            rows.Add(row);
        }

        return (columns, rows);
    }

    static void AssertAlike(object[] postgres, object[] sqlite)
    {
        for (var i = 0; i < postgres.Length; i++)
        {
            switch (postgres[i])
            {
                // Until now: the one is asked a moment after the other.
                case double number: Assert.Equal(number, Convert.ToDouble(sqlite[i], CultureInfo.InvariantCulture), Math.Max(1e-6, Math.Abs(number) * 1e-4)); break;
                case DateTime time: Assert.Equal(time, DateTime.Parse((string)sqlite[i], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal)); break;
                case DateOnly day: Assert.Equal($"{day:yyyy-MM-dd}", sqlite[i]); break;
                case DBNull: Assert.Equal(DBNull.Value, sqlite[i]); break;
                default: Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"{postgres[i]}"), string.Create(CultureInfo.InvariantCulture, $"{sqlite[i]}"), ignoreCase: postgres[i] is Guid); break;
            }
        }
    }

    [GeneratedRegex(@"```sql(?<for>[^\n]*)\n(?<sql>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\n### (?<name>report_\w+)\n\n[^\n]+\n\n\| column[^\n]+\n\|[^\n]+\n(?<rows>(\|[^\n]+\n)+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ViewTable();

    [GeneratedRegex(@"^\| `(?<name>\w+)` \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Column();
}
