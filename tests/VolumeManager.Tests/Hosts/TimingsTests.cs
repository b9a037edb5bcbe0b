using System.Globalization;
using System.Reflection;
using VolumeManager.Tests.Clusters;

namespace VolumeManager.Tests.Hosts;

/// <summary>The relations between waits hold for the program and for the tests.</summary>
[Trait("Catalog", "sqlite")]
public sealed class TimingsTests
{
    [Fact]
    public void The_relations_hold_in_the_program() => Assert.Empty(Timings.Real.Violations());

    [Fact]
    public void The_relations_hold_in_the_tests()
    {
        Assert.Empty(TestTimings.Short.Violations());
        Assert.Empty(TestTimings.Impatient.Violations());
    }

    [Fact]
    public void No_wait_of_the_tests_is_longer_than_the_programs()
    {
        foreach (var wait in Waits) Assert.True((TimeSpan)wait.GetValue(TestTimings.Impatient)! <= (TimeSpan)wait.GetValue(Timings.Real)!, wait.Name);
    }

    [Fact]
    public void A_wait_that_breaks_a_relation_is_found()
    {
        Assert.Equal(["a migration gives the tables up before the daemons that queue behind it time out"], (Timings.Real with { MigrationLockWait = Timings.Real.LockWait }).Violations());
        Assert.Equal(["a copy may miss two renewals before others take it for abandoned"], (Timings.Real with { HoldRenewal = Timings.Real.Abandoned / 2 }).Violations());
    }

    [Fact]
    public void The_unit_lets_a_stop_last_as_long_as_it_may()
    {
        var unit = File.ReadAllLines(Path.Combine(MigrationTests.RepositoryRoot(), "plugin", "volman.service"));
        var limit = Assert.Single(unit, line => line.StartsWith("TimeoutStopSec=", StringComparison.Ordinal))["TimeoutStopSec=".Length..].TrimEnd('s');
        Assert.True(Timings.Real.LongestStop < TimeSpan.FromSeconds(int.Parse(limit, CultureInfo.InvariantCulture)), $"a stop takes up to {Timings.Real.LongestStop}");
    }

    static IEnumerable<PropertyInfo> Waits => typeof(Timings).GetProperties(BindingFlags.Instance | BindingFlags.NonPublic).Where(p => p.PropertyType == typeof(TimeSpan));
}
