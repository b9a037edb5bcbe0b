namespace VolumeManager.Tests.Hosts;

/// <summary>How long the daemons wait that run in the process of the tests. A daemon that is a process of its own has <see cref="Timings.Real"/>.</summary>
internal static class TestTimings
{
    static readonly bool s_isReal = Environment.GetEnvironmentVariable("VOLMAN_TEST_TIMINGS") == "real";

    /// <summary>What all tests can run with. A bound for work that is meant to succeed is not shorter here, because a machine that runs many tests is slow.</summary>
    internal static Timings Short { get; } = Timings.Real with
    {
        RestartWait = TimeSpan.FromSeconds(1),
        JoinRetry = TimeSpan.FromMilliseconds(200),
        HeardPause = TimeSpan.FromMilliseconds(50),
        FencingPause = TimeSpan.FromMilliseconds(50),
        ExportPass = TimeSpan.FromMilliseconds(250),
        ServerProbe = TimeSpan.FromSeconds(1),
        PassRetry = TimeSpan.FromMilliseconds(200),
        ClockAgreement = TimeSpan.FromMilliseconds(500),
        Settling = TimeSpan.FromMilliseconds(300),
        PurgePause = TimeSpan.FromMilliseconds(50),
        DrainTime = TimeSpan.FromSeconds(1),
    };

    /// <summary>For tests in which such a bound is meant to be exceeded.</summary>
    internal static Timings Impatient { get; } = Short with
    {
        SqliteBusy = TimeSpan.FromSeconds(1),
        LockWait = TimeSpan.FromSeconds(2),
        MigrationLockWait = TimeSpan.FromSeconds(1),
        OthersWork = TimeSpan.FromSeconds(2),
        FencingWait = TimeSpan.FromSeconds(5),
        ExportAnswer = TimeSpan.FromSeconds(4),
        ExportSeen = TimeSpan.FromSeconds(2),
        AliasAnswer = TimeSpan.FromSeconds(2),
    };

    // For an hour nobody waits.
    static Timings Real { get; } = Timings.Real with { ClockAgreement = Short.ClockAgreement };

    /// <summary>What the tests use: <see cref="Short"/>, or <see cref="Timings.Real"/> where VOLMAN_TEST_TIMINGS is <c>real</c>.</summary>
    internal static Timings Current => s_isReal ? Real : Short;

    /// <summary><see cref="Impatient"/>, or <see cref="Timings.Real"/> where VOLMAN_TEST_TIMINGS is <c>real</c>.</summary>
    internal static Timings CurrentImpatient => s_isReal ? Real : Impatient;
}
