using System.Globalization;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using VolumeManager.Hosts;
using VolumeManager.Reports;

namespace VolumeManager.Admin;

/// <summary>
/// <c>GET /v1/reports/NAME</c>: a report as JSON (an array, one object a line) or CSV (RFC 4180), streamed row by row. What goes wrong before the first row is a problem as of
/// every route; later the answer breaks off, so that nobody takes a part for the whole.
/// </summary>
internal static class ReportRoutes
{
    // Below the deadline of all routes: who waits hears why.
    static readonly TimeSpan s_time = TimeSpan.FromSeconds(100);

    const int FlushBytes = 32 << 10;

    /// <exception cref="BadRequestException">It is not what the report takes.</exception>
    /// <exception cref="VolumeException">It cannot be read now.</exception>
    internal static async Task WriteAsync(HttpContext http, HostDaemon daemon, string name, QueryFilters query, CancellationToken cancellation)
    {
        var report = StandardReports.All.FirstOrDefault(r => r.Name == name) ?? throw new BadRequestException($"there is no report {name}: use {string.Join(", ", StandardReports.All.Select(r => r.Name))}");
        var filters = Filters(report, query, daemon.Catalog.Now);
        var isCsv = query.Value("format") switch
        {
            null or "json" => false,
            "csv" => true,
            var other => throw new BadRequestException($"format is \"{other}\": use csv or json"),
        };

        using var time = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        time.CancelAfter(s_time);
        await using var rows = daemon.Reporter.ReadAsync(report, filters, time.Token).GetAsyncEnumerator(time.Token);
        bool isAny;
        try
        {
            isAny = await rows.MoveNextAsync();
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new VolumeException($"the report {report.Name} was not made within {s_time.TotalSeconds:0} s: narrow it with since, label, volume or limit");
        }

        http.Response.ContentType = isCsv ? "text/csv; charset=utf-8; header=present" : "application/json";
        try
        {
            await WriteAsync(http.Response.BodyWriter, isCsv ? new CsvReport(report) : new JsonReport(report), rows, isAny, time.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or VolumeException)
        {
            http.Abort();
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
        List<string> known = ["format", "limit"];
        foreach (var filter in Enum.GetValues<ReportFilter>().Where(f => f != ReportFilter.None && report.Filters.HasFlag(f))) known.Add(ReportFilters.KeyOf(filter));
        query.CheckKnown([.. known]);
        var label = query.Value("label")?.Split('=', 2);
        return new ReportFilters(
            Since(query.Value("since"), report, now),
            label?[0],
            label is [_, var value] ? value : null,
            query.Value("host"),
            query.Value("volume"),
            query.Value("price") is { } price ? Price(price) : null,
            query.Value("limit") is null ? null : query.Number("limit", 0, int.MaxValue));
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
