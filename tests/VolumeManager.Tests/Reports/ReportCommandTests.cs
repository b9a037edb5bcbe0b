using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Spectre.Console;
using VolumeManager.Catalog;
using VolumeManager.Commands;
using VolumeManager.Reports;
using VolumeManager.Tests.Admin;
using VolumeManager.Tests.Commands;
using VolumeManager.Tests.Hosts;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Reports;

/// <summary><c>volman report</c> as a person and as a program run it: what each format looks like to the byte, and how it ends when something is wrong.</summary>
public sealed class ReportCommandTests : IAsyncLifetime, IAsyncDisposable
{
    static readonly Guid s_shop = new("01a1ff82-787e-7c91-ba5f-fa401786cc54");
    static readonly Guid s_logs = new("01a1ff82-787e-7c91-ba5f-fa401786cc55");
    static readonly DateTime s_january = new(2026, 1, 1, 3, 14, 0, DateTimeKind.Utc);

    readonly TestHost _host = new();

    public async Task InitializeAsync()
    {
        // The history is of a January that is long over.
        _host.Settings = _host.Settings with { HistoryRetention = TimeSpan.FromDays(3650), UsageDailyRetention = TimeSpan.FromDays(3650) };
        await _host.StartAsync();
        await using var catalog = _host.OpenCatalog();
        catalog.Volumes.AddRange(VolumeOf(s_shop, "shop", used: 5_368_709_120), VolumeOf(s_logs, "logs", used: null));
        catalog.VolumeLabels.AddRange(
            new VolumeLabel { VolumeId = s_shop, Key = "team", Value = "a|b, \"c\"" }, new VolumeLabel { VolumeId = s_shop, Key = "env", Value = "prod" });
        catalog.Events.AddRange(Ended(s_shop, "shop", 0, TimeSpan.FromHours(26.5), "unmount"), Ended(s_logs, "logs", 2, TimeSpan.FromSeconds(1.25), "reclaim"), Ended(s_shop, "shop", 3, TimeSpan.FromMinutes(3), "unmount"));
        for (var day = 0; day < 3; day++)
        {
            catalog.UsageDays.Add(new UsageDay
            {
                Day = DateOnly.FromDateTime(s_january).AddDays(day),
                VolumeId = s_shop,
                VolumeName = "shop",
                Bytes = (day + 1L) << 30,
                Files = 1000 * day,
                MinBytes = 1,
                MaxBytes = 4L << 30,
                SumBytes = (day + 1) * 3L << 29,
                Samples = 3,
                SampledAt = s_january.AddDays(day),
            });
        }

        await catalog.SaveChangesAsync();
    }

    static Volume VolumeOf(Guid id, string name, long? used) => new()
    {
        Id = id,
        Name = name,
        Backend = "nfs",
        Server = "nas",
        Export = "/volumes",
        Directory = name,
        SizeBytes = used * 2,
        UsedBytes = used,
        UsedFiles = used / 4096,
        SampledAt = used is null ? null : s_january,
        CreatedAt = s_january,
        CreatedOnHost = "one",
    };

    static Event Ended(Guid volume, string name, int day, TimeSpan after, string kind) => new()
    {
        At = s_january.AddDays(day) + after,
        Host = "one",
        VolumeId = volume,
        VolumeName = name,
        Kind = kind,
        CallerId = $"caller-{day}",
        MountedAt = s_january.AddDays(day),
    };

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    Task<VolmanProcess.Ended> RunAsync(string arguments) =>
        VolmanProcess.RunAsync(["report", .. arguments.Split(' '), "--admin-socket", _host.Settings.AdminSocket], new Dictionary<string, string> { ["TZ"] = "UTC" });

    async Task<string> DoneAsync(string arguments)
    {
        var ended = await RunAsync(arguments);
        Assert.Equal((0, ""), (ended.ExitCode, ended.Errors));
        return ended.Output;
    }

    [Fact]
    public async Task Each_format_is_as_it_always_was()
    {
        Assert.Equal(
            """
            VOLUME  HOST  MOUNTED               ENDED                   FOR  ENDED BY  CALLER ID
            shop    one   2026-01-04 03:14:00Z  2026-01-04 03:17:00Z  3m 0s  unmount   caller-3
            logs    one   2026-01-03 03:14:00Z  2026-01-03 03:14:01Z   1.3s  reclaim   caller-2
            shop    one   2026-01-01 03:14:00Z  2026-01-02 05:44:00Z  1d 2h  unmount   caller-0

            """,
            await DoneAsync("history --since 2026-01-01"));
        Assert.Equal(
            """
            | volume | host | mounted_at | ended_at | seconds | ended_by | caller_id |
            | --- | --- | --- | --- | ---: | --- | --- |
            | logs | one | 2026-01-03 03:14:00Z | 2026-01-03 03:14:01Z | 1.3s | reclaim | caller-2 |

            """,
            await DoneAsync("history --since 2026-01-01 --volume logs --format md"));
        Assert.Equal(
            "volume,host,mounted_at,ended_at,seconds,ended_by,caller_id,volume_id\r\n"
            + "shop,one,2026-01-04T03:14:00.000Z,2026-01-04T03:17:00.000Z,180,unmount,caller-3,01a1ff82-787e-7c91-ba5f-fa401786cc54\r\n"
            + "logs,one,2026-01-03T03:14:00.000Z,2026-01-03T03:14:01.250Z,1.25,reclaim,caller-2,01a1ff82-787e-7c91-ba5f-fa401786cc55\r\n",
            await DoneAsync("history --since 2026-01-01 --limit 2 --format csv"));
        Assert.Equal(
            """
            [
            {"volume":"shop","host":"one","mounted_at":"2026-01-04T03:14:00.000Z","ended_at":"2026-01-04T03:17:00.000Z","seconds":180,"ended_by":"unmount","caller_id":"caller-3","volume_id":"01a1ff82-787e-7c91-ba5f-fa401786cc54"},
            {"volume":"shop","host":"one","mounted_at":"2026-01-01T03:14:00.000Z","ended_at":"2026-01-02T05:44:00.000Z","seconds":95400,"ended_by":"unmount","caller_id":"caller-0","volume_id":"01a1ff82-787e-7c91-ba5f-fa401786cc54"}
            ]

            """,
            await DoneAsync("history --since 2026-01-01 --label team --format json"));
    }

    [Fact]
    public async Task Sizes_labels_and_what_is_not_known()
    {
        Assert.Equal(
            """
            VOLUME  STATE  USED  SIZE  USED FILES  MOUNTS  CREATED               LABELS
            shop    ready  5.0G   10G   1,310,720       0  2026-01-01 03:14:00Z  env=prod team=a|b, "c"
            logs    ready                               0  2026-01-01 03:14:00Z

            """,
            await DoneAsync("volumes"));
        Assert.Contains("""| env=prod team=a\|b, "c" |""", await DoneAsync("volumes --format md"), StringComparison.Ordinal);
        Assert.Equal(
            "volume,state,used_bytes,size_bytes,used_files,mounts,hosts,last_used_at,created_at,labels,in_use,backend,server,export,directory,used_at,volume_id\r\n"
            + "shop,ready,5368709120,10737418240,1310720,0,,,2026-01-01T03:14:00.000Z,\"{\"\"env\"\":\"\"prod\"\",\"\"team\"\":\"\"a|b, \\\"\"c\\\"\"\"\"}\",false,nfs,nas,/volumes,shop,2026-01-01T03:14:00.000Z,01a1ff82-787e-7c91-ba5f-fa401786cc54\r\n"
            + "logs,ready,,,,0,,,2026-01-01T03:14:00.000Z,{},false,nfs,nas,/volumes,logs,,01a1ff82-787e-7c91-ba5f-fa401786cc55\r\n",
            await DoneAsync("volumes --format csv"));
        var logs = JsonDocument.Parse(await DoneAsync("volumes --volume logs --format json")).RootElement[0];
        Assert.Equal((JsonValueKind.Null, "{}"), (logs.GetProperty("used_bytes").ValueKind, logs.GetProperty("labels").GetRawText()));
        Assert.Equal(
            """
            DAY         VOLUMES  BYTES  FILES  GIB DAYS
            2026-01-01        1   1.0G      0      0.50
            2026-01-02        1   2.0G  1,000      1.00
            2026-01-03        1   3.0G  2,000      1.50

            """,
            await DoneAsync("usage --since 2026-01-01"));
        Assert.Equal(
            """
            LABEL  VOLUMES  GIB DAYS  GIB MONTHS  COST
            prod         1      3.00        0.10  0.05

            """,
            await DoneAsync("cost --since 2026-01-01 --label env --price 0.5"));
        Assert.Equal("volume,idle_since,idle_days,used_bytes,last_used_at,created_at,labels,volume_id\r\n", await DoneAsync("idle --since 2025-01-01 --format csv"));
        Assert.Equal("[\n]\n", await DoneAsync("mounts --format json"));
        Assert.Equal("VOLUME  HOST  HOST STATE  MOUNTED  FOR  COUNT  CALLER ID\n", await DoneAsync("mounts"));
    }

    /// <summary>What a person sees on a terminal: the zone of the person, and bars.</summary>
    [Fact]
    public void A_terminal_shows_a_chart_and_the_persons_zone()
    {
        var usage = StandardReports.All.Single(report => report.Name == "usage");
        var rows = JsonDocument.Parse("""
            [{"day":"2026-01-01","volumes":1,"bytes":1073741824,"files":1,"gib_days":1},
             {"day":"2026-01-02","volumes":2,"bytes":2147483648,"files":2,"gib_days":2}]
            """).RootElement.EnumerateArray();
        var text = new StringWriter();
        var terminal = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Out = new AnsiConsoleOutput(text) });
        terminal.Profile.Width = 60;
        new ReportTable(usage, rows, TimeZoneInfo.Utc).WriteTo(terminal);
        var bars = text.ToString().Split('\n').Where(line => line.Contains('█', StringComparison.Ordinal)).ToList();
        Assert.Equal(["2026-01-01  " + new string('█', 22) + " 1.0G", "2026-01-02  " + new string('█', 43) + " 2.0G"], bars);

        var hosts = StandardReports.All.Single(report => report.Name == "hosts");
        var one = JsonDocument.Parse("""[{"host":"o\u001bne","state":"live","mounts":0,"volumes":0,"address":null,"version":"1","engine_starts":1,"last_seen_at":"2026-01-01T23:30:00.000Z","host_id":"x"}]""");
        var plain = new StringWriter { NewLine = "\n" };
        new ReportTable(hosts, one.RootElement.EnumerateArray(), TimeZoneInfo.CreateCustomTimeZone("x", TimeSpan.FromHours(5.5), "x", "x")).WritePlain(plain);
        Assert.Equal("HOST  STATE  MOUNTS  VOLUMES  VERSION  ENGINE STARTS  LAST SEEN\no?ne  live        0        0  1                    1  2026-01-02 05:00:00+05:30\n", plain.ToString());
    }

    [Fact]
    public async Task A_table_says_when_there_is_more()
    {
        var ended = await RunAsync("history --since 2026-01-01 --limit 2");
        Assert.Equal((0, 3), (ended.ExitCode, ended.Output.Count(c => c == '\n')));
        Assert.Equal("volman: these are the first 2 rows, there are more: see them with --limit or --format csv\n", ended.Errors);
    }

    [Theory]
    [InlineData("idle --since yesterday", """since is "yesterday": write an age such as 12h, 30d or 8w, .+""")]
    [InlineData("idle --since 9999999999h", """since is "9999999999h": .+""")]
    [InlineData("cost --price -1", """price is "-1": .+""")]
    [InlineData("cost --price NaN", """price is "NaN": .+""")]
    public async Task What_is_wrong_is_told_in_a_sentence(string arguments, string expected) => VolmanProcess.AssertRefused(expected, await RunAsync(arguments));

    [Theory]
    [InlineData("hosts --label x")]
    [InlineData("usage --host x")]
    [InlineData("history --limit 0")]
    [InlineData("history --format xml")]
    [InlineData("nothing")]
    public async Task Wrong_usage_ends_with_2(string arguments) => Assert.Equal(2, (await RunAsync(arguments)).ExitCode);

    [Fact]
    public async Task The_route_takes_nothing_that_it_does_not_know()
    {
        using var client = OperatorClient.Of(_host);
        foreach (var (path, expected) in new[]
        {
            ("hosts?volume=x", "\"volume\" is no filter of this route: use format, limit, host"),
            ("hosts?format=xml", "format is \"xml\": use json, csv"),
            ("hosts?limit=0", "limit is \"0\": write a number from 1 to 2147483647"),
        })
        {
            var reply = await client.SendAsync("GET", "/v1/reports/" + path);
            Assert.Equal((400, expected), (reply.Status, reply.Detail));
        }

        Assert.Equal(404, (await client.SendAsync("GET", "/v1/reports/nothing")).Status);
    }

    /// <summary>Millions of rows go through; who goes away in the middle is in nobody's way.</summary>
    [Fact]
    public async Task A_long_report_comes_row_by_row_and_who_leaves_makes_room_for_the_next()
    {
        const int Many = 200_000;
        await using (var catalog = _host.OpenCatalog())
        {
            await catalog.Database.ExecuteSqlRawAsync(string.Create(CultureInfo.InvariantCulture, $"""
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {Many})
                INSERT INTO events (at, host, kind, volume_name, caller_id, mounted_at)
                SELECT e.at, 'two', 'unmount', 'many', 'caller-' || n.i, e.mounted_at FROM n, (SELECT at, mounted_at FROM events WHERE caller_id = 'caller-0') e
                """));
        }

        for (var i = 0; i < 5; i++)
        {
            var start = VolmanProcess.StartInfo(["report", "history", "--since", "2026-01-01", "--format", "csv", "--admin-socket", _host.Settings.AdminSocket]);
            start.RedirectStandardOutput = true;
            // Not a RunningProgram: that one would read all of it.
            using var leaves = Process.Start(start)!;
            Assert.StartsWith("volume,host", await leaves.StandardOutput.ReadLineAsync(), StringComparison.Ordinal);
            leaves.Kill();
            await leaves.WaitForExitAsync();
        }

        var all = (await DoneAsync("history --since 2026-01-01 --format csv")).Split("\r\n");
        Assert.Equal(Many + 3, all.Length - 2);
        Assert.Equal(Many, JsonDocument.Parse(await DoneAsync("history --since 2026-01-01 --volume many --format json")).RootElement.GetArrayLength());
        Assert.Equal("", await _host.Engine.CreateAsync("still-serves"));
    }
}
