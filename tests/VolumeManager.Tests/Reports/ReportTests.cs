using VolumeManager.Reports;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Reports;

/// <summary>What each report says of a generated history, on both databases, against what was computed from the history itself.</summary>
[Trait("Catalog", "postgres")]
public sealed class ReportTests(ReportCatalogs catalogs) : IClassFixture<ReportCatalogs>
{
    const double Close = 1e-6;

    // The catalogs were written some seconds after the history's end.
    const double Patience = 600;

    readonly ClusterHistory _history = catalogs.History;

    public static TheoryData<string> Databases => [ReportCatalogs.Sqlite, ReportCatalogs.Postgres];

    static bool Fits(Volume volume, string? key, string? value = null) => key is null || (volume.Labels.TryGetValue(key, out var has) && (value is null || has == value));

    List<Volume> Known => [.. _history.Volumes.Where(v => v.State != VolumeState.Gone)];

    [Theory, MemberData(nameof(Databases))]
    public async Task Volumes(string database)
    {
        Assert.Equal(Expected(_ => true), (await catalogs.ReadAsync(database, "volumes")).Select(Told));
        Assert.Equal(Expected(v => Fits(v, "team")), (await catalogs.ReadAsync(database, "volumes", new ReportFilters(LabelKey: "team"))).Select(Told));
        Assert.Equal(Expected(v => Fits(v, "team", "ops, \"the\" team")), (await catalogs.ReadAsync(database, "volumes", new ReportFilters(LabelKey: "team", LabelValue: "ops, \"the\" team"))).Select(Told));
        Assert.Equal(Expected(v => HostsOf(v).Contains("node-1")), (await catalogs.ReadAsync(database, "volumes", new ReportFilters(Host: "node-1"))).Select(Told));
        Assert.Equal(Expected(v => v.Name == "vol-07"), (await catalogs.ReadAsync(database, "volumes", new ReportFilters(Volume: "vol-07"))).Select(Told));
        Assert.Equal(Expected(v => v.CreatedAt >= _history.Ago(12)), (await catalogs.ReadAsync(database, "volumes", new ReportFilters(Since: _history.Ago(12)))).Select(Told));
        Assert.Equal(Expected(_ => true).Take(3), (await catalogs.ReadAsync(database, "volumes", new ReportFilters(Limit: 3))).Select(Told));

        IEnumerable<string> HostsOf(Volume v) => _history.Mounts.Where(m => m.VolumeId == v.Id).Select(m => _history.HostOf(m.HostId).Name).Distinct().Order(StringComparer.Ordinal);
        IEnumerable<string> Expected(Func<Volume, bool> fits) =>
            from v in Known
            where fits(v)
            let last = _history.Samples.Where(s => s.VolumeId == v.Id).MaxBy(s => s.TakenAt)
            orderby last is null, last?.Bytes descending, v.Name
            select string.Join('|',
                v.Name, v.State, last?.Bytes, v.SizeBytes, last?.Files, _history.Mounts.Count(m => m.VolumeId == v.Id), string.Join(',', HostsOf(v)),
                Time(_history.LastUsed.TryGetValue(v.Id, out var used) ? used : null), Time(v.CreatedAt), LabelsOf(v), _history.Mounts.Any(m => m.VolumeId == v.Id), v.Backend, v.Server, v.Export,
                v.Directory, Time(last?.TakenAt), v.Id).ToUpperInvariant();
    }

    static string LabelsOf(Volume v) => "{" + string.Join(',', v.Labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"\"{l.Key}\":\"{l.Value.Replace("\"", "\\\"", StringComparison.Ordinal)}\"")) + "}";

    static string Time(DateTime? time) => time is { } at ? $"{at:O}" : "";

    static string Told(IReadOnlyDictionary<string, object?> row) => string.Join('|', row.Values.Select(value => value is DateTime time ? Time(time) : $"{value}")).ToUpperInvariant();

    [Theory, MemberData(nameof(Databases))]
    public async Task Usage(string database)
    {
        await CheckAsync(new ReportFilters(Since: _history.Ago(100)), _ => true, DateOnly.MinValue);
        await CheckAsync(new ReportFilters(), _ => true, DateOnly.FromDateTime(_history.Ago(30)));
        await CheckAsync(new ReportFilters(Volume: "vol-12"), v => v.Name == "vol-12", DateOnly.FromDateTime(_history.Ago(30)));
        await CheckAsync(new ReportFilters(LabelKey: "env", LabelValue: "prod"), v => Fits(v, "env", "prod"), DateOnly.FromDateTime(_history.Ago(30)));

        async Task CheckAsync(ReportFilters filters, Func<Volume, bool> fits, DateOnly since)
        {
            var rows = await catalogs.ReadAsync(database, "usage", filters);
            var expected = _history.UsageByDay().Where(u => fits(u.Volume) && u.Day >= since).GroupBy(u => u.Day).OrderBy(day => day.Key).ToList();
            Assert.NotEmpty(expected);
            Assert.Equal(expected.Select(day => (day.Key, day.LongCount(), day.Sum(u => u.Bytes), day.Sum(u => u.Files))), rows.Select(r => ((DateOnly)r["day"]!, (long)r["volumes"]!, (long)r["bytes"]!, (long)r["files"]!)));
            foreach (var (day, row) in expected.Zip(rows)) Assert.Equal(day.Sum(u => u.GibDays), (double)row["gib_days"]!, Close);
        }
    }

    [Theory, MemberData(nameof(Databases))]
    public async Task Idle(string database)
    {
        foreach (var days in (double?[])[null, 3, 20])
        {
            var rows = await catalogs.ReadAsync(database, "idle", new ReportFilters(Since: days is { } d ? _history.Ago(d) : null));
            var expected = Known
                .Where(v => v.State == VolumeState.Ready && _history.Mounts.TrueForAll(m => m.VolumeId != v.Id))
                .Select(v => (v.Name, Since: _history.LastUsed.TryGetValue(v.Id, out var used) ? used : v.CreatedAt))
                .Where(v => days is null || v.Since <= _history.Ago(days.Value))
                .OrderBy(v => v.Since).ThenBy(v => v.Name, StringComparer.Ordinal).ToList();
            Assert.NotEmpty(expected);
            Assert.Equal(expected, rows.Select(r => ((string)r["volume"]!, (DateTime)r["idle_since"]!)));
            foreach (var (volume, row) in expected.Zip(rows)) Assert.InRange((double)row["idle_days"]! - (_history.Now - volume.Since).TotalDays, -Close, Patience / 86400);
        }
    }

    [Theory, MemberData(nameof(Databases))]
    public async Task Mounts(string database)
    {
        foreach (var (filters, fits) in new (ReportFilters, Func<Volume, string, DateTime, bool>)[]
        {
            (new ReportFilters(), (_, _, _) => true),
            (new ReportFilters(Host: "node-2"), (_, host, _) => host == "node-2"),
            (new ReportFilters(LabelKey: "team", LabelValue: "db"), (v, _, _) => Fits(v, "team", "db")),
            (new ReportFilters(Since: _history.Ago(1)), (_, _, at) => at >= _history.Ago(1)),
        })
        {
            var rows = await catalogs.ReadAsync(database, "mounts", filters);
            var expected = _history.Mounts
                .Select(m => (Volume: _history.VolumeOf(m.VolumeId), Host: _history.HostOf(m.HostId), Mount: m))
                .Where(m => fits(m.Volume, m.Host.Name, m.Mount.MountedAt))
                .OrderBy(m => m.Mount.MountedAt)
                .Select(m => (m.Volume.Name, m.Host.Name, m.Host.State, m.Mount.MountedAt, (long)m.Mount.Count, m.Mount.CallerId)).ToList();
            Assert.NotEmpty(expected);
            Assert.Equal(expected, rows.Select(r => ((string)r["volume"]!, (string)r["host"]!, (string)r["host_state"]!, (DateTime)r["mounted_at"]!, (long)r["count"]!, (string)r["caller_id"]!)));
            Assert.All(rows, r => Assert.InRange((double)r["seconds"]! - (_history.Now - (DateTime)r["mounted_at"]!).TotalSeconds, -1, Patience));
        }
    }

    [Theory, MemberData(nameof(Databases))]
    public async Task History(string database)
    {
        foreach (var (filters, days, fits) in new (ReportFilters, double, Func<Volume, string, bool>)[]
        {
            (new ReportFilters(), 7, (_, _) => true),
            (new ReportFilters(Since: _history.Ago(100)), 100, (_, _) => true),
            (new ReportFilters(Since: _history.Ago(20), Host: "node-0"), 20, (_, host) => host == "node-0"),
            (new ReportFilters(Since: _history.Ago(40), Volume: "vol-03"), 40, (v, _) => v.Name == "vol-03"),
            (new ReportFilters(Since: _history.Ago(100), LabelKey: "team"), 100, (v, _) => Fits(v, "team")),
        })
        {
            var rows = await catalogs.ReadAsync(database, "history", filters);
            var ended = _history.Events.Where(e => e.MountedAt is not null && e.At >= _history.Ago(days))
                .Select(e => (Volume: _history.VolumeOf(e.VolumeId!.Value), e.Host, MountedAt: e.MountedAt!.Value, EndedAt: (DateTime?)e.At, EndedBy: (string?)e.Kind, e.CallerId));
            var open = _history.Mounts.Select(m => (Volume: _history.VolumeOf(m.VolumeId), Host: _history.HostOf(m.HostId).Name, m.MountedAt, EndedAt: (DateTime?)null, EndedBy: (string?)null, CallerId: (string?)m.CallerId));
            var expected = ended.Concat(open).Where(m => fits(m.Volume, m.Host)).OrderByDescending(m => m.MountedAt).ThenBy(m => m.Volume.Name, StringComparer.Ordinal)
                .Select(m => (m.Volume.Name, m.Host, m.MountedAt, m.EndedAt, m.EndedBy, m.CallerId)).ToList();
            Assert.NotEmpty(expected);
            Assert.Equal(expected, rows.Select(r => ((string)r["volume"]!, (string)r["host"]!, (DateTime)r["mounted_at"]!, (DateTime?)r["ended_at"], (string?)r["ended_by"], (string?)r["caller_id"])));
            Assert.All(rows.Where(r => r["ended_at"] is not null), r => Assert.Equal(((DateTime)r["ended_at"]! - (DateTime)r["mounted_at"]!).TotalSeconds, (double)r["seconds"]!, 0.001));
        }
    }

    [Theory, MemberData(nameof(Databases))]
    public async Task Hosts(string database)
    {
        var expected = _history.Hosts
            .Select(h => (h.Name, h.State, Mounts: _history.Mounts.LongCount(m => m.HostId == h.Id), Volumes: _history.Mounts.Where(m => m.HostId == h.Id).Select(m => m.VolumeId).Distinct().LongCount(), h.Address, h.Version, h.EngineGeneration, h.LastSeenAt))
            .OrderByDescending(h => h.Mounts).ThenBy(h => h.Name, StringComparer.Ordinal).ToList();
        var rows = await catalogs.ReadAsync(database, "hosts");
        Assert.Equal(
            expected,
            rows.Select(r => ((string)r["host"]!, (string)r["state"]!, (long)r["mounts"]!, (long)r["volumes"]!, (string?)r["address"], (string)r["version"]!, (long)r["engine_starts"]!, (DateTime)r["last_seen_at"]!)));
        Assert.Equal("node-2", Assert.Single(await catalogs.ReadAsync(database, "hosts", new ReportFilters(Host: "node-2")))["host"]);
    }

    [Theory, MemberData(nameof(Databases))]
    public async Task Growth(string database)
    {
        foreach (var (filters, days, fits) in new (ReportFilters, double, Func<Volume, bool>)[]
        {
            (new ReportFilters(), 30, _ => true),
            (new ReportFilters(Since: _history.Ago(7)), 7, _ => true),
            (new ReportFilters(Since: _history.Ago(100), LabelKey: "team"), 100, v => Fits(v, "team")),
        })
        {
            var since = _history.Ago(days);
            var byVolume = _history.UsageByDay().ToLookup(u => u.Volume.Id);
            var expected =
                from v in Known
                where v.State == VolumeState.Ready && fits(v) && byVolume.Contains(v.Id)
                let now = byVolume[v.Id].MaxBy(u => u.Day).Bytes
                let before = byVolume[v.Id].Where(u => u.Day <= DateOnly.FromDateTime(since)).OrderBy(u => u.Day).ToList()
                let then = DateOnly.FromDateTime(v.CreatedAt) > DateOnly.FromDateTime(since) ? 0 : before.Count > 0 ? before[^1].Bytes : byVolume[v.Id].MinBy(u => u.Day).Bytes
                orderby now - then descending, v.Name
                select (v.Name, now - then, then, now, v.SizeBytes);
            var rows = await catalogs.ReadAsync(database, "growth", filters);
            Assert.NotEmpty(rows);
            Assert.Equal(expected, rows.Select(r => ((string)r["volume"]!, (long)r["grown_bytes"]!, (long)r["bytes_then"]!, (long)r["bytes_now"]!, (long?)r["size_bytes"])));
        }
    }

    [Theory, MemberData(nameof(Databases))]
    public async Task Cost(string database)
    {
        var since = DateOnly.FromDateTime(_history.Ago(30));
        var days = _history.UsageByDay().Where(u => u.Day >= since).ToList();

        // Volumes that are gone are in it, with their labels.
        var byTeam = days.GroupBy(u => u.Volume.Labels.GetValueOrDefault("team", "")).Select(g => (Label: g.Key, Volumes: (long)g.Select(u => u.Volume.Id).Distinct().Count(), GibDays: g.Sum(u => u.GibDays)))
            .OrderByDescending(g => g.GibDays).ToList();
        Check(byTeam.Select(g => ((string?)g.Label, (string?)null, g.Volumes, g.GibDays)), await catalogs.ReadAsync(database, "cost", new ReportFilters(LabelKey: "team", Price: 0.12)), 0.12);
        Assert.Contains(days, u => u.Volume.State == VolumeState.Gone);

        var byVolume = days.GroupBy(u => u.Volume).Select(g => (g.Key, GibDays: g.Sum(u => u.GibDays))).OrderByDescending(g => g.GibDays).ToList();
        Check(byVolume.Select(g => ((string?)null, (string?)g.Key.Name, 1L, g.GibDays)), await catalogs.ReadAsync(database, "cost"), null);
        Check(
            byVolume.Where(g => Fits(g.Key, "team", "web")).Select(g => ((string?)"web", (string?)g.Key.Name, 1L, g.GibDays)),
            await catalogs.ReadAsync(database, "cost", new ReportFilters(LabelKey: "team", LabelValue: "web")), null);

        static void Check(IEnumerable<(string? Label, string? Volume, long Volumes, double GibDays)> expected, List<IReadOnlyDictionary<string, object?>> rows, double? price)
        {
            var all = expected.ToList();
            Assert.NotEmpty(all);
            Assert.Equal(all.Select(e => (e.Label, e.Volume, e.Volumes)), rows.Select(r => ((string?)r["label"], (string?)r["volume"], (long)r["volumes"]!)));
            foreach (var (one, row) in all.Zip(rows))
            {
                Assert.Equal(one.GibDays, (double)row["gib_days"]!, Close);
                Assert.Equal(one.GibDays / 30, (double)row["gib_months"]!, Close);
                if (price is null) Assert.Null(row["cost"]);
                else Assert.Equal(one.GibDays / 30 * price.Value, (double)row["cost"]!, Close);
            }
        }
    }
}
