using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Volumes;

namespace VolumeManager.Hosts;

/// <summary>
/// Has hosts shut out of an export before what they held there is given to another: their containers may still run, and write. Only exports that a host of the cluster
/// serves can be closed (<see cref="ExportPublisher"/>); of all others nothing is waited for.
/// </summary>
internal static class Fencing
{
    /// <summary>Has the hosts shut out that are to lose a volume, and waits until they are.</summary>
    /// <param name="grace">How long after its lease ran out a host may be shut out.</param>
    /// <exception cref="VolumeException">The serving host has not done it in time.</exception>
    internal static async Task FenceAsync(PostgresDatabase database, Volume volume, ThisHost host, TimeSpan grace)
    {
        if (volume.Backend != "nfs") return;
        await database.ApplyAsync(ExportRows.AskWithdrawal(volume, host.Id, grace));
        await UntilShutOutAsync(database, volume, host);
    }

    /// <summary>Waits until everybody is who is to be shut out of a volume's export.</summary>
    /// <exception cref="VolumeException">The serving host has not done it in time.</exception>
    internal static async Task UntilShutOutAsync(PostgresDatabase database, Volume volume, ThisHost host)
    {
        var began = Environment.TickCount64;
        while (await FindWaitedForAsync() is { } waitedFor)
        {
            if (Environment.TickCount64 - began > database.Timings.FencingWait.TotalMilliseconds)
            {
                throw new VolumeException($"volume {volume.Name} cannot be mounted yet, for host {waitedFor.Client} may still write to {NfsAddress.Source(volume.Server, volume.Export)}: see to volman on host {waitedFor.Server}, which has to shut it out");
            }

            await Task.Delay(database.Timings.FencingPause);
        }

        async Task<(string Client, string Server)?> FindWaitedForAsync()
        {
            (string, string)? found = null;
            await database.ReadAsync(ExportRows.Withdrawing(volume.Server, volume.Export, host.Id), row => found = (row.GetString(0), row.GetString(1)), CancellationToken.None);
            return found;
        }
    }

    /// <summary>One export that an evicted host could use.</summary>
    internal readonly record struct Closed(string Source, string Server, bool IsDone);

    /// <summary>Waits until an evicted host is shut out of all exports that hosts of the cluster serve.</summary>
    internal static async Task<IReadOnlyList<Closed>> WaitAsync(PostgresDatabase database, Guid evicted)
    {
        for (var began = Environment.TickCount64; ; await Task.Delay(database.Timings.FencingPause))
        {
            var exports = new List<Closed>();
            await database.ReadAsync(
                ExportRows.Of(evicted), row => exports.Add(new Closed(NfsAddress.Source(row.GetString(0), row.GetString(1)), row.GetString(2), row.GetBoolean(3))), CancellationToken.None);
            if (exports.TrueForAll(e => e.IsDone) || Environment.TickCount64 - began > database.Timings.FencingWait.TotalMilliseconds) return exports;
        }
    }
}
