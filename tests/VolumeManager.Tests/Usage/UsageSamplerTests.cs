using Microsoft.EntityFrameworkCore;
using VolumeManager.Tests.Hosts;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Tests.Usage;

/// <summary>One host measures its volumes; the same on both kinds of catalog.</summary>
public sealed class UsageSamplerTests : IAsyncLifetime
{
    static readonly TimeSpan s_always = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan s_once = TimeSpan.FromHours(1);

    TestHost _host = null!;

    public async Task InitializeAsync() => _host = await TestHost.StartNewAsync();

    public async Task DisposeAsync() => await _host.DisposeAsync();

    async Task StartAsync(TimeSpan interval, TimeSpan? retention = null)
    {
        _host.Settings = _host.Settings.Measuring(interval) with { HistoryRetention = retention ?? _host.Settings.HistoryRetention };
        await _host.RestartAsync();
    }

    Task CreateAsync(params string[] names) => CreateAsync([], names);

    async Task CreateAsync(Dictionary<string, string> options, params string[] names)
    {
        foreach (var name in names) Assert.Equal("", await _host.Engine.CreateAsync(name, options));
    }

    async Task<List<UsageSample>> SamplesAsync(string volume)
    {
        await using var db = _host.OpenCatalog();
        return await db.UsageSamples.Where(s => db.Volumes.Any(v => v.Id == s.VolumeId && v.Name == volume)).OrderBy(s => s.TakenAt).ToListAsync();
    }

    async Task ExecuteAsync(FormattableString sql)
    {
        await using var db = _host.OpenCatalog();
        await db.Database.ExecuteSqlAsync(sql);
    }

    [Fact]
    public async Task Status_follows_what_containers_write_and_delete()
    {
        await StartAsync(s_always);
        await CreateAsync("v");
        foreach (var script in new[] { "head -c 1000000 /dev/urandom > f; mkdir d; ln f d/f", "truncate -s 1G d/sparse; ln -s / root", "rm -r d f" })
        {
            await Command.OutputOfAsync("sh", "-c", $"cd \"$0\" && {script}", _host.DataOf("v"));
            var expected = await Figures.DuAsync(_host.DataOf("v"));
            await Poll.UntilAsync($"Status says {expected}", async () => await _host.StatusAsync("v") == expected);
        }
    }

    [Fact]
    public async Task A_sample_is_a_row_that_names_host_and_time()
    {
        await StartAsync(s_once);
        Directory.CreateDirectory(_host.DataOf("old/d"));
        await File.WriteAllTextAsync(_host.DataOf("old/d/f"), new string('x', 100_000));
        var revision = await RevisionAsync();
        await CreateAsync(new Dictionary<string, string> { ["path"] = "old" }, "v");
        await _host.MeasuredAsync("v");
        var sample = Assert.Single(await SamplesAsync("v"));
        Assert.Equal(await Figures.DuAsync(_host.DataOf("old")), $"{sample.Bytes} {sample.Files}");
        Assert.Equal(await Figures.DuAsync(_host.DataOf("old")), await _host.StatusAsync("v"));
        await using var db = _host.OpenCatalog();
        var volume = await db.Volumes.SingleAsync(v => v.Name == "v");
        Assert.Equal((sample.Bytes, sample.Files, sample.TakenAt), (volume.UsedBytes!.Value, volume.UsedFiles!.Value, volume.SampledAt!.Value));
        Assert.Equal((await db.Hosts.SingleAsync()).Id, sample.HostId);
        // Creating it was a change that others must hear of, measuring it was none.
        Assert.Equal(revision + 1, await RevisionAsync());
    }

    async Task<long> RevisionAsync()
    {
        await using var db = _host.OpenCatalog();
        return (await db.CatalogStates.SingleAsync()).Revision;
    }

    [Fact]
    public async Task Each_volume_is_measured_once_an_interval()
    {
        await StartAsync(s_once);
        string[] names = [.. Enumerable.Range(0, 30).Select(i => $"v{i}")];
        await CreateAsync(names);
        foreach (var name in names) await _host.MeasuredAsync(name);
        await _host.PassedAsync();
        foreach (var name in names) Assert.Single(await SamplesAsync(name));

        await ExecuteAsync($"UPDATE volumes SET sampled_at = {DateTime.UtcNow.AddHours(-2)} WHERE name = 'v7'");
        await Poll.UntilAsync("what was measured two hours ago is measured again", async () => (await SamplesAsync("v7")).Count == 2);
        await _host.PassedAsync();
        foreach (var name in names) Assert.Equal(name == "v7" ? 2 : 1, (await SamplesAsync(name)).Count);
    }

    [Fact]
    public async Task Those_that_wait_longest_come_first_and_new_ones_before_all()
    {
        await StartAsync(TimeSpan.Zero);
        string[] names = ["new", "old", "older", "oldest"];
        await CreateAsync([.. names.Reverse()]);
        for (var i = 1; i < names.Length; i++)
        {
            var at = DateTime.UtcNow.AddDays(-i);
            var name = names[i];
            await ExecuteAsync($"UPDATE volumes SET sampled_at = {at} WHERE name = {name}");
        }

        await StartAsync(s_once);
        foreach (var name in names) await Poll.UntilAsync($"{name} is measured", async () => (await SamplesAsync(name)).Count == 1);
        var times = new List<DateTime>();
        foreach (var name in new[] { "new", "oldest", "older", "old" }) times.Add((await SamplesAsync(name))[0].TakenAt);
        Assert.Equal(times.Order(), times);
    }

    [Fact]
    public async Task A_time_of_measuring_that_is_yet_to_come_was_a_wrong_clocks()
    {
        await StartAsync(s_once);
        await CreateAsync("v");
        await _host.MeasuredAsync("v");
        await ExecuteAsync($"UPDATE volumes SET sampled_at = {DateTime.UtcNow.AddYears(10)} WHERE name = 'v'");
        await Poll.UntilAsync("it is measured again", async () => (await SamplesAsync("v")).Count == 2);
        await _host.PassedAsync();
        Assert.Equal(2, (await SamplesAsync("v")).Count);
    }

    [Fact]
    public async Task Volumes_that_cannot_be_measured_are_in_nobodys_way()
    {
        await StartAsync(TimeSpan.Zero);
        // More than are read at a time, and all are older than the one behind them.
        await CreateAsync("missing", "replaced", "fine");
        await using (var db = _host.OpenCatalog())
        {
            var missing = await db.Volumes.AsNoTracking().SingleAsync(v => v.Name == "missing");
            db.Volumes.AddRange(Enumerable.Range(0, 1200).Select(i => missing with { Id = Guid.CreateVersion7(DateTimeOffset.UnixEpoch), Name = $"missing-{i}", Directory = $"missing-{i}" }));
            await db.SaveChangesAsync();
        }

        foreach (var name in new[] { "missing", "replaced" }) Directory.Delete(_host.DataOf(name));
        await File.WriteAllTextAsync(_host.DataOf("replaced"), "a file");
        await StartAsync(s_once);
        await _host.MeasuredAsync("fine");
        await _host.PassedAsync();
        await using (var db = _host.OpenCatalog()) Assert.Equal(1202, await db.Volumes.CountAsync(v => v.State == VolumeManager.Volumes.VolumeState.Ready && v.SampledAt == null));

        // Tried again after an interval; and a daemon that starts does not know that it was tried.
        Directory.CreateDirectory(_host.DataOf("missing"));
        await StartAsync(s_once);
        await _host.MeasuredAsync("missing");
    }

    [Fact]
    public async Task A_volume_that_was_never_mounted_is_measured_too()
    {
        await StartAsync(s_once);
        await CreateAsync("v");
        await _host.MeasuredAsync("v");
        await using var db = _host.OpenCatalog();
        Assert.Null((await db.Volumes.SingleAsync(v => v.Name == "v")).ProvisionedAt);
    }

    [Fact]
    public async Task The_samples_of_a_removed_volume_stay()
    {
        await StartAsync(s_once);
        await CreateAsync("v");
        await _host.MeasuredAsync("v");
        Guid id;
        await using (var db = _host.OpenCatalog()) id = (await db.Volumes.SingleAsync(v => v.Name == "v")).Id;
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        await _host.PassedAsync();
        await using (var db = _host.OpenCatalog()) Assert.Equal(1, await db.UsageSamples.CountAsync(s => s.VolumeId == id));
        await CreateAsync("v");
        await _host.MeasuredAsync("v");
        await using (var db = _host.OpenCatalog()) Assert.Equal(1, await db.UsageSamples.CountAsync(s => s.VolumeId == id));
    }

    [Fact]
    public async Task What_is_mounted_and_unmounted_meanwhile_keeps_its_figures()
    {
        await StartAsync(s_always);
        await CreateAsync("v");
        await _host.MeasuredAsync("v");
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal("", await _host.Engine.MountAsync("v", "x"));
            Assert.NotEqual("", await _host.StatusAsync("v"));
            Assert.Equal("", await _host.Engine.UnmountAsync("v", "x"));
            Assert.NotEqual("", await _host.StatusAsync("v"));
        }
    }

    [Fact]
    public async Task The_figures_are_known_after_a_restart_and_an_interval_of_zero_measures_nothing()
    {
        await StartAsync(s_once);
        await CreateAsync("v");
        await _host.MeasuredAsync("v");
        var before = await _host.StatusAsync("v");
        await StartAsync(TimeSpan.Zero);
        await File.WriteAllTextAsync(_host.DataOf("v") + "/f", new string('x', 100_000));
        await ExecuteAsync($"UPDATE volumes SET sampled_at = {DateTime.UtcNow.AddMinutes(-59)} WHERE name = 'v'");
        // A pass of the janitor, in the same background.
        await CreateAsync(new Dictionary<string, string> { ["on-remove"] = "delete" }, "w");
        Assert.Equal("", await _host.Engine.RemoveAsync("w"));
        await Poll.UntilAsync("w is purged", async () => (await _host.EventsAsync("w")).Contains("purge"));
        Assert.Equal(before, await _host.StatusAsync("v"));
        Assert.Single(await SamplesAsync("v"));
    }

    [Fact]
    public async Task Samples_are_kept_as_long_as_history_is()
    {
        await StartAsync(s_once, retention: TimeSpan.FromDays(30));
        await CreateAsync("v");
        await _host.MeasuredAsync("v");
        var sample = Assert.Single(await SamplesAsync("v"));
        await using (var db = _host.OpenCatalog())
        {
            db.UsageSamples.AddRange(Enumerable.Range(1, 2500).Select(i => new UsageSample { VolumeId = sample.VolumeId, TakenAt = DateTime.UtcNow.AddDays(-30).AddMinutes(-i), Bytes = 1, Files = 1, HostId = sample.HostId }));
            db.UsageSamples.Add(new UsageSample { VolumeId = sample.VolumeId, TakenAt = DateTime.UtcNow.AddDays(-29), Bytes = 2, Files = 1, HostId = sample.HostId });
            await db.SaveChangesAsync();
        }

        await Poll.UntilAsync("the old ones are deleted", async () => (await SamplesAsync("v")).Count <= 2);
        Assert.Equal([2, sample.Bytes], (await SamplesAsync("v")).Select(s => s.Bytes));
    }

    [Fact]
    public async Task What_was_held_by_day_is_kept_longer_with_the_labels_of_what_is_gone()
    {
        _host.Settings = _host.Settings.Measuring(s_always) with { HistoryRetention = TimeSpan.FromDays(1), UsageDailyRetention = TimeSpan.FromDays(100), TrashRetention = TimeSpan.Zero };
        await _host.RestartAsync();
        await CreateAsync(new Dictionary<string, string> { ["label.team"] = "web" }, "v");
        await _host.MeasuredAsync("v");
        var today = DateOnly.FromDateTime(DateTime.UtcNow);
        await Poll.UntilAsync("the day has several samples", async () => (await DaysAsync()).Exists(d => d.VolumeName == "v" && d.Samples >= 2));
        var day = (await DaysAsync()).Last(d => d.VolumeName == "v");
        Assert.InRange(day.Day, today, today.AddDays(1));
        Assert.Equal((day.Bytes, day.Bytes, day.Bytes, day.Bytes * day.Samples, 1), (day.MinBytes, day.MaxBytes, day.SumBytes / day.Samples, day.SumBytes, day.Files));

        var gone = Guid.NewGuid();
        await using (var db = _host.OpenCatalog())
        {
            db.FormerLabels.Add(new FormerLabel { VolumeId = gone, Key = "team", Value = "old" });
            db.UsageDays.AddRange(Enumerable.Range(90, 2500).Select(age => new UsageDay
            {
                Day = today.AddDays(-age),
                VolumeId = gone,
                VolumeName = "gone",
                Bytes = 1,
                Files = 1,
                MinBytes = 1,
                MaxBytes = 1,
                SumBytes = 1,
                Samples = 1,
                SampledAt = DateTime.UtcNow.AddDays(-age),
            }));
            await db.SaveChangesAsync();
        }

        await Poll.UntilAsync("the old days are deleted", async () => (await DaysAsync()).Count(d => d.VolumeName == "gone") <= 11);
        Assert.InRange((await DaysAsync()).Count(d => d.VolumeName == "gone"), 10, 11);
        await using (var db = _host.OpenCatalog()) Assert.Equal("old", (await db.FormerLabels.SingleAsync()).Value);

        // The volume is removed, purged and, a day later, forgotten: its days and its labels are there still. What has no day left keeps no label.
        Assert.Equal("", await _host.Engine.RemoveAsync("v"));
        await Poll.UntilAsync("v is purged", async () => (await _host.EventsAsync("v")).Contains("purge"));
        await ExecuteAsync($"UPDATE volumes SET purge_after = {DateTime.UtcNow.AddMinutes(-1)} WHERE name = 'v'");
        // Ten days went by, or so it looks.
        await ExecuteAsync($"DELETE FROM usage_daily WHERE volume_id = {gone} AND day <> {today.AddDays(-90)}");
        await ExecuteAsync($"UPDATE usage_daily SET day = {today.AddDays(-101)} WHERE volume_id = {gone}");
        await Poll.UntilAsync("v is forgotten, and its label is not", async () =>
        {
            await using var db = _host.OpenCatalog();
            return !await db.Volumes.AnyAsync() && await db.FormerLabels.Select(l => l.Value).ToListAsync() is ["web"];
        });
        Assert.Contains(await DaysAsync(), d => d.VolumeId == day.VolumeId);
    }

    [Fact]
    public async Task A_day_has_the_least_and_the_most_that_the_volume_held()
    {
        await StartAsync(s_always);
        await CreateAsync("v");
        await _host.MeasuredAsync("v");
        var file = _host.DataOf("v") + "/f";
        // Around midnight there are two days.
        await File.WriteAllBytesAsync(file, new byte[1_000_000]);
        await Poll.UntilAsync("the growth is measured", async () => (await DaysAsync()).Any(d => d.Bytes >= 1_000_000));
        File.Delete(file);
        await Poll.UntilAsync("the loss is measured", async () => (await DaysAsync()).Last().Bytes < 1_000_000);
        Assert.InRange((await DaysAsync()).Max(d => d.MaxBytes), 1_000_000, 2_000_000);
        Assert.InRange((await DaysAsync()).Min(d => d.MinBytes), 0, 100_000);
    }

    async Task<List<UsageDay>> DaysAsync()
    {
        await using var db = _host.OpenCatalog();
        return await db.UsageDays.OrderBy(d => d.Day).ToListAsync();
    }
}
