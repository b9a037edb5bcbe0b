using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Npgsql;
using VolumeManager.Benchmarks.Reports;
using VolumeManager.Benchmarks.Servers;

namespace VolumeManager.Benchmarks.Measurements;

/// <summary>How long the questions of docs/reporting.md take on a large catalog, and <c>volman report</c>'s reports, whole.</summary>
internal static partial class ReportTables
{
    const int Times = 5;

    static readonly TimeSpan s_target = TimeSpan.FromSeconds(1);

    internal static async Task MeasureAsync(BenchmarkRun run)
    {
        if (run.Homes is null)
            return;
        await using var server = await ClusterServer.StartAsync();
        var (volumes, events, samples) = run.Options.Quick ? (10_000, 100_000, 1_000_000) : (100_000, 1_000_000, 10_000_000);
        var home = await ClusterHome.MakeAsync(run, server, "reports");
        await ReportFill.FillAsync(server, home.Database, volumes, events, samples);
        var size = string.Create(CultureInfo.InvariantCulture, $"{volumes:#,0} volumes, {events:#,0} events, {samples:#,0} samples of usage on {samples / volumes} days, so as many rows by day; 20 hosts");
        run.Report.Table("Reports: the questions of docs/reporting.md",
            $"Milliseconds to the last row, over one connection, {Times} times after a first one that is listed apart; PostgreSQL with its default settings, but for jit and work_mem, which are those of the role of docs/postgresql.sql.\nThe catalog: {size}.",
            ["question", "rows", "first", "median", "worst", "target"], await AskAsync(server, home.Database, run.Workspace.Cancelled));
        await using (var volman = await home.StartAndAwaitAsync("h1", ClusterTables.LongLease, alone: true))
        {
            run.Report.Table("Reports: volman report",
                "Milliseconds to the first and to the last byte of a report as CSV, asked of the admin socket, all rows.",
                ["report", "rows", "first byte", "last byte", "MB", "daemon's memory, MB (PSS)"], await ReadAsync(volman, run.Workspace.Cancelled));
        }
        await home.DeleteAsync();
    }

    static async Task<List<string[]>> AskAsync(ClusterServer server, string database, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(server.ConnectionString(database, throughProxy: false) + ";Options=-c jit=off -c work_mem=64MB");
        await connection.OpenAsync(cancellation);
        var rows = new List<string[]>();
        foreach (var (title, sql) in Questions())
        {
            var times = new List<TimeSpan>();
            var count = 0;
            for (var i = 0; i <= Times; i++)
            {
                count = 0;
                var began = Stopwatch.GetTimestamp();
                await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
                await using var reader = await command.ExecuteReaderAsync(cancellation);
                while (await reader.ReadAsync(cancellation))
                    count++;
                times.Add(Stopwatch.GetElapsedTime(began));
            }
            Progress.Say($"{title}: {string.Join(", ", times.Select(Figures.Millis))} ms");
            var later = times.Skip(1).Order().ToList();
            rows.Add([title, $"{count:#,0}", Figures.Millis(times[0]), Figures.Millis(later[Times / 2]), Figures.Millis(later[^1]), later[^1] <= s_target ? "≤ 1 s: met" : "≤ 1 s: missed"]);
        }
        return rows;
    }

    /// <summary>The texts for PostgreSQL, as they stand in the document, about volumes and a night that are in the catalog.</summary>
    static IEnumerable<(string Title, string Sql)> Questions()
    {
        var document = File.ReadAllText(Path.Combine(BenchmarkOptions.RepositoryRoot(), "docs", "reporting.md"));
        return from part in document.Split("\n### ")
               let text = Fence().Matches(part).FirstOrDefault(fence => fence.Groups["for"].Value.Trim() is "" or "postgresql")
               where text is not null
               select (part[..part.IndexOf('\n', StringComparison.Ordinal)], text.Groups["sql"].Value
                   .Replace("vol-10", "vol-00000010", StringComparison.Ordinal).Replace("vol-12", "vol-00000012", StringComparison.Ordinal)
                   .Replace("2026-11-21", DateTime.UtcNow.AddDays(-3).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), StringComparison.Ordinal));
    }

    static async Task<List<string[]>> ReadAsync(ServerProcess volman, CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, stop) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(volman.SocketPath + ".admin"), stop);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        var rows = new List<string[]>();
        foreach (var report in new[] { "volumes", "usage", "idle", "mounts", "history?since=100d", "hosts", "growth", "cost", "cost?label=team" })
        {
            Progress.Say($"report {report}");
            var began = Stopwatch.GetTimestamp();
            using var answer = await http.GetAsync(new Uri($"http://volman/v1/reports/{report}{(report.Contains('?', StringComparison.Ordinal) ? '&' : '?')}format=csv"), HttpCompletionOption.ResponseHeadersRead, cancellation);
            var first = Stopwatch.GetElapsedTime(began);
            if (!answer.IsSuccessStatusCode)
                throw new BenchmarkException($"report {report}: {await answer.Content.ReadAsStringAsync(cancellation)}");
            await using var body = await answer.Content.ReadAsStreamAsync(cancellation);
            var (buffer, bytes, lines) = (new byte[1 << 16], 0L, 0);
            for (int read; (read = await body.ReadAsync(buffer, cancellation)) > 0; bytes += read)
                lines += buffer.AsSpan(0, read).Count((byte)'\n');
            rows.Add([report, $"{lines - 1:#,0}", Figures.Millis(first), Figures.Millis(Stopwatch.GetElapsedTime(began)), Figures.Megabytes(bytes), Figures.Megabytes(ProcessMemory.Of(volman.Pid).Pss)]);
        }
        return rows;
    }

    [GeneratedRegex(@"```sql(?<for>[^\n]*)\n(?<sql>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Fence();
}
