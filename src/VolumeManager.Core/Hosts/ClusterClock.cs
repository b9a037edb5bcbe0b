using System.Diagnostics;
using System.Globalization;
using VolumeManager.Catalog;

namespace VolumeManager.Hosts;

/// <summary>
/// The database's clock, carried on by the time since this host's boot, which nobody sets. It is kept in the state directory, for a daemon that starts while the
/// database is away has nobody to ask. Where the database was not heard since the boot it is this host's own.
/// </summary>
internal sealed class ClusterClock
{
    // Far below what anybody compares, and far above what clocks drift in an hour.
    static readonly TimeSpan s_worthKeeping = TimeSpan.FromSeconds(1);
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(3);

    readonly string _file;
    readonly string _bootId;
    DateTime _bootedAt = DateTime.UtcNow - SinceBoot;
    DateTime? _kept;

    ClusterClock(string file, string bootId) => (_file, _bootId) = (file, bootId);

    static TimeSpan SinceBoot => Stopwatch.GetElapsedTime(0);

    internal DateTime Now => _bootedAt + SinceBoot;

    /// <summary>Takes up what an earlier daemon of this boot has heard; otherwise asks the database, if it answers soon.</summary>
    internal static async Task<ClusterClock> OpenAsync(StateDirectory state, string bootId, PostgresDatabase database)
    {
        var clock = new ClusterClock(state.ClockFile, bootId);
        if (clock.TryRead()) return clock;
        var asking = database.ReadAsync($"SELECT now()", row => clock.Hear(row.GetUtc(0)), CancellationToken.None);
        await Task.WhenAny(asking, Task.Delay(s_patience));
        // Why it does not answer is told by the join.
        await asking.WaitAsync(TimeSpan.Zero).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return clock;
    }

    /// <summary>The database has said what time it is.</summary>
    internal void Hear(DateTime now)
    {
        _bootedAt = now - SinceBoot;
        if (_kept is { } kept && (kept - _bootedAt).Duration() < s_worthKeeping) return;
        try
        {
            File.WriteAllText(_file + ".partial", $"{_bootId} {_bootedAt:O}");
            File.Move(_file + ".partial", _file, overwrite: true);
            _kept = _bootedAt;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A full disk; the next heartbeat tries again.
        }
    }

    bool TryRead()
    {
        try
        {
            if (!File.Exists(_file) || File.ReadAllText(_file).Split(' ') is not [var boot, var text] || boot != _bootId) return false;
            if (!DateTime.TryParseExact(text, "O", CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var bootedAt)) return false;
            _kept = _bootedAt = bootedAt;
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
