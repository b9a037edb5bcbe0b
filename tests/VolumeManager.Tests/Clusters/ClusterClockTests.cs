using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Tests.Clusters;

/// <summary>Where a host has the time from: the database, or what it said earlier in this boot, or at last its own clock.</summary>
[Trait("Catalog", "postgres")]
public sealed class ClusterClockTests : IDisposable
{
    readonly ScratchFolder _folder = new();
    readonly StateDirectory _state;

    public ClusterClockTests() => _state = StateDirectory.Open(_folder.FullPath);

    public void Dispose()
    {
        _state.Dispose();
        _folder.Dispose();
    }

    static PostgresDatabase Away => new("Host=127.0.0.1;Port=1;Username=nobody", "h");

    static void AssertNear(DateTime expected, DateTime actual) => Assert.InRange(actual, expected.AddMinutes(-1), expected.AddMinutes(1));

    [Fact]
    public async Task What_the_database_said_is_kept_for_this_boot_and_no_other()
    {
        await using var database = Away;
        var clock = await ClusterClock.OpenAsync(_state, "boot", database);
        AssertNear(DateTime.UtcNow, clock.Now);
        Assert.False(File.Exists(_state.ClockFile));
        clock.Hear(DateTime.UtcNow.AddHours(5));
        AssertNear(DateTime.UtcNow.AddHours(5), clock.Now);
        AssertNear(DateTime.UtcNow.AddHours(5), (await ClusterClock.OpenAsync(_state, "boot", database)).Now);
        AssertNear(DateTime.UtcNow, (await ClusterClock.OpenAsync(_state, "another boot", database)).Now);
    }

    [Fact]
    public async Task A_database_that_answers_is_asked_once_in_a_boot()
    {
        await using var database = new PostgresDatabase((await SharedServer.GetAsync()).ConnectionString("postgres"), "h");
        // Not waited for on a machine that is too busy to answer soon.
        await Poll.UntilAsync("the database is asked at the start", async () =>
        {
            await ClusterClock.OpenAsync(_state, "boot", database);
            return File.Exists(_state.ClockFile);
        });
        await using var away = Away;
        AssertNear(DateTime.UtcNow, (await ClusterClock.OpenAsync(_state, "boot", away)).Now);
    }

    [Theory]
    [InlineData("")]
    [InlineData("boot")]
    [InlineData("boot yesterday")]
    [InlineData("boot 2026-01-01T00:00:00.0000000Z more")]
    public async Task A_file_that_was_cut_off_or_is_none_of_ours_is_passed_over(string text)
    {
        await File.WriteAllTextAsync(_state.ClockFile, text);
        await using var database = Away;
        AssertNear(DateTime.UtcNow, (await ClusterClock.OpenAsync(_state, "boot", database)).Now);
    }

    [Fact]
    public async Task A_small_correction_is_not_written_down_and_a_large_one_is()
    {
        await using var database = Away;
        var clock = await ClusterClock.OpenAsync(_state, "boot", database);
        clock.Hear(DateTime.UtcNow);
        var written = await File.ReadAllTextAsync(_state.ClockFile);
        clock.Hear(clock.Now.AddMilliseconds(100));
        Assert.Equal(written, await File.ReadAllTextAsync(_state.ClockFile));
        clock.Hear(clock.Now.AddSeconds(10));
        Assert.NotEqual(written, await File.ReadAllTextAsync(_state.ClockFile));
    }
}
