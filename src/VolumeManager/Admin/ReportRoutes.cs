using System.Globalization;
using System.IO.Pipelines;
using VolumeManager.Reports;

namespace VolumeManager.Admin;

/// <summary>
/// Reports as JSON (an array, one object a line) or CSV (RFC 4180), streamed row by row. What goes wrong before the first row is a problem as of every route; later the
/// answer breaks off, so that nobody takes a part for the whole.
/// </summary>
internal static class ReportRoutes
{
    // Below the deadline of all routes: who waits hears why.
    static readonly TimeSpan s_time = TimeSpan.FromSeconds(100);

    const int FlushBytes = 32 << 10;
    const string Csv = "text/csv; charset=utf-8; header=present";

    internal static readonly Route[] All = [.. StandardReports.All.Select(report => new Route("GET", $"/v1/reports/{report.Name}", report.Summary, AdminJson.Default.JsonArray, call => AnswerAsync(call, report))
    {
        ContentType = "application/json, text/csv",
        Query =
        [
            QueryParameter.OneOf("format", "How it is written", "json", "csv"),
            QueryParameter.Number("limit", "How many rows at most", int.MaxValue, int.MaxValue),
            .. Enum.GetValues<ReportFilter>().Where(f => f != ReportFilter.None && report.Filters.HasFlag(f)).Select(f => QueryParameter.Text(ReportFilters.KeyOf(f), DescriptionOf(f, report))),
        ],
    })];

    static string DescriptionOf(ReportFilter filter, Report report) => filter switch
    {
        ReportFilter.Since => $"{report.Since}: an age such as 12h, 30d or 8w, or a time such as 2026-11-21T03:14Z",
        ReportFilter.Label => "Only volumes with this label, or with this value of it: key or key=value",
        ReportFilter.Host => "Only the host of this name",
        ReportFilter.Volume => "Only the volume of this name",
        _ => "The price of a GiB for a month of 30 days",
    };

    static async Task<object> AnswerAsync(Call call, Report report)
    {
        var filters = Filters(report, call.Filters, call.Daemon.Catalog.Now);
        var isCsv = call.Filters.Value("format") == "csv";
        var time = CancellationTokenSource.CreateLinkedTokenSource(call.Cancellation);
        time.CancelAfter(s_time);
        var rows = call.Daemon.Reporter.ReadAsync(report, filters, time.Token).GetAsyncEnumerator(time.Token);
        bool isAny;
        try
        {
            isAny = await rows.MoveNextAsync();
        }
        catch (Exception e)
        {
            await DropAsync();
            if (e is OperationCanceledException && !call.Cancellation.IsCancellationRequested) throw new VolumeException($"the report {report.Name} was not made within {s_time.TotalSeconds:0} s: narrow it with since, label, volume or limit");
            throw;
        }

        return new StreamedAnswer(isCsv ? Csv : "application/json", async (http, _) =>
        {
            using (time)
            await using (rows)
            {
                try
                {
                    await WriteAsync(http.Response.BodyWriter, isCsv ? new CsvReport(report) : new JsonReport(report), rows, isAny, time.Token);
                }
                catch (Exception e) when (e is OperationCanceledException or VolumeException)
                {
                    http.Abort();
                }
            }
        }, DropAsync);

        async ValueTask DropAsync()
        {
            await rows.DisposeAsync();
            time.Dispose();
        }
    }

    static async Task WriteAsync(PipeWriter body, ReportFormat format, IAsyncEnumerator<object?[]> rows, bool isAny, CancellationToken cancellation)
    {
        format.Begin(body);
        for (; isAny; isAny = await rows.MoveNextAsync())
        {
            format.Row(body, rows.Current);
            if (body.UnflushedBytes >= FlushBytes) await body.FlushAsync(cancellation);
        }

        format.End(body);
        await body.FlushAsync(cancellation);
    }

    static ReportFilters Filters(Report report, QueryFilters query, DateTime now)
    {
        var label = query.Value("label")?.Split('=', 2);
        return new ReportFilters(
            Since(query.Value("since"), report, now),
            label?[0],
            label is [_, var value] ? value : null,
            query.Value("host"),
            query.Value("volume"),
            query.Value("price") is { } price ? Price(price) : null,
            query.Value("limit") is null ? null : query.Number("limit"));
    }

    static DateTime? Since(string? text, Report report, DateTime now)
    {
        try
        {
            return ReportSince.Parse(text, report, now);
        }
        catch (FormatException e)
        {
            throw new BadRequestException(e.Message);
        }
    }

    static double Price(string text) => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var price) && double.IsFinite(price)
        ? price
        : throw new BadRequestException($"price is \"{text}\": write the price of a GiB for a month of 30 days, such as 0.10");
}
