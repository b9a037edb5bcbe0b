using VolumeManager.TestSupport.Polling;

namespace VolumeManager.TestSupport.Postgres;

/// <summary>Streaming replication.</summary>
partial class PostgresServer
{
    /// <summary>A hot standby that streams from a running server; it reads at once, and writes after <see cref="PromoteAsync"/>.</summary>
    /// <param name="options">The primary's own when left out. A standby must allow as many connections as its primary.</param>
    public static Task<PostgresServer> StartStandbyAsync(PostgresServer primary, PostgresOptions? options = null) =>
        StartNewAsync(options ?? primary._options, folder => PostgresPrograms.RunAsync(folder, "pg_basebackup", "-D", folder.Data, "-R", "-X", "stream", "-c", "fast",
            "--no-sync", "--no-manifest", "-U", "postgres", "-h", primary.SocketDirectory, "-p", $"{primary.Port}"));

    /// <summary>Waits until this standby shows everything that the primary has written by now.</summary>
    public async Task CatchUpAsync(PostgresServer primary)
    {
        var position = await primary.ScalarAsync<string>("SELECT pg_current_wal_lsn()::text");
        if (!await Poll.HoldsWithinAsync(s_patience, () => ScalarAsync<bool>($"SELECT pg_last_wal_replay_lsn() >= '{position}'")))
            throw Failure($"The standby has not reached {position} after {s_patience.TotalSeconds} s");
    }

    /// <summary>Makes a primary of this standby. The old primary is not told: kill it first, or there are two.</summary>
    public async Task PromoteAsync()
    {
        if (!await ScalarAsync<bool>($"SELECT pg_promote(true, {s_patience.TotalSeconds:0})")) throw Failure("The standby was not promoted");
    }
}
