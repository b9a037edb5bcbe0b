using Microsoft.Extensions.Time.Testing;
using VolumeManager.Hosts;

namespace VolumeManager.Tests.Hosts;

[Trait("Catalog", "none")]
public sealed class ClockWatchTests
{
    readonly FakeTimeProvider _monotonic = new();
    readonly List<TimeSpan> _jumps = [];
    readonly ClockWatch _watch;
    DateTime _now = new(2026, 11, 30, 0, 0, 0, DateTimeKind.Utc);

    public ClockWatchTests() => _watch = new ClockWatch(_monotonic, () => _now) { Jumped = _jumps.Add };

    void Pass(TimeSpan real, TimeSpan ofDay)
    {
        _monotonic.Advance(real);
        _now += ofDay;
    }

    [Fact]
    public void Clocks_that_go_on_together_agree_for_as_long_as_they_do()
    {
        for (var minute = 1; minute <= 90; minute++)
        {
            // A time server corrects it a little.
            Pass(TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(minute % 2 == 0 ? 58 : 63));
            Assert.Equal(TimeSpan.FromMinutes(minute), _watch.AgreedFor);
        }

        Assert.Empty(_jumps);
    }

    [Theory]
    [InlineData(400 * 24 * 60)]
    [InlineData(-400 * 24 * 60)]
    [InlineData(5)]
    public void A_jump_begins_the_time_anew_and_so_does_the_way_back(int minutes)
    {
        Pass(TimeSpan.FromHours(2), TimeSpan.FromHours(2));
        Pass(TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(4) + TimeSpan.FromMinutes(minutes));
        Assert.Equal(TimeSpan.Zero, _watch.AgreedFor);
        Pass(TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1));
        Assert.Equal(TimeSpan.FromMinutes(1), _watch.AgreedFor);
        Pass(TimeSpan.Zero, TimeSpan.FromMinutes(-minutes));
        Assert.Equal(TimeSpan.Zero, _watch.AgreedFor);
        Assert.Equal([TimeSpan.FromMinutes(minutes), TimeSpan.FromMinutes(-minutes)], _jumps);
    }
}
