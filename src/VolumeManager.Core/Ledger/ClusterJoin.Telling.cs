using Npgsql;
using VolumeManager.Catalog;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Ledger;

/// <content>What the catalog is told: the mounts of this host, and its events.</content>
internal sealed partial class ClusterJoin
{
    /// <summary>Makes this host's mounts in the catalog what the ledger says, and delivers the events that it has not heard.</summary>
    async Task TellAllAsync()
    {
        await DeliverAsync();
        var there = new HashSet<(Guid Volume, string Caller, int Count, long Epoch)>();
        await database.ReadAsync($"SELECT volume_id, caller_id, count, epoch FROM mounts WHERE host_id = {host.Id}",
            row => there.Add((row.GetGuid(0), row.GetString(1), row.GetInt32(2), row.GetInt64(3))), _stopping.Token);
        var mounted = index.All.Where(v => v.IsMountedOn(host.Id)).ToLookup(v => v.Id);
        var here = mounted.SelectMany(v => v).SelectMany(v => v.Mounts).Where(index.IsOwn).Select(m => (m.VolumeId, m.CallerId, m.Count, m.Epoch)).ToHashSet();
        foreach (var id in there.Except(here).Concat(here.Except(there)).Select(m => m.Item1).Distinct()) await TellAsync(id, mounted[id].FirstOrDefault()?.Name ?? "");
    }

    /// <summary>Tells the catalog this host's mounts of a volume as they are at this moment, and that its directory was there.</summary>
    internal async Task TellAsync(Guid id, string name)
    {
        do
        {
            // Who changes them at this moment tells them afterwards.
            if (!link.TryHold(id)) return;
            try
            {
                var change = MountRows.Replace(id, host.Id, index.OwnOf(id), membership.Now);
                if (index.TryFind(name, out var volume) && volume.Id == id && volume.ProvisionedAt is { } at) change = change.Then(VolumeRows.KeepProvisioned(id, at));
                await ApplyAsync(change, SharedVolumeRows.ById(id), name);
            }
            catch
            {
                // Whatever it was: a volume that stays held can never be unmounted.
                link.Doubt(id, name);
                link.Release(id);
                throw;
            }
        }
        while (link.Release(id));
    }

    /// <summary>Delivers the events that the catalog has not heard. History that the database refuses is kept for the next time, and keeps this host from nothing.</summary>
    async Task DeliverAsync()
    {
        var refused = 0;
        while (await ledger.ReadUntoldAsync(refused, Batch) is { Count: > 0 } untold)
        {
            var told = await TellEventsAsync(untold);
            if (told.Count == 0) return;
            await ledger.ForgetToldAsync(told);
            refused += untold.Count - told.Count;
        }
    }

    /// <returns>Those that the catalog has taken.</returns>
    async Task<List<Event>> TellEventsAsync(List<Event> untold)
    {
        try
        {
            await database.ApplyAsync(Change.All([.. untold.Select(EventRows.Append), membership.Prolong]));
            return untold;
        }
        catch (VolumeException e) when (e is not CatalogAwayException && e.InnerException is PostgresException refusal)
        {
            // One by one they would wait as long for what is locked.
            if (untold.Count == 1 || refusal.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled)
            {
                LogEventNotTold(untold[0].Kind, untold[0].VolumeName ?? untold[0].Host, e.Message);
                return [];
            }
        }

        var told = new List<Event>();
        foreach (var one in untold) told.AddRange(await TellEventsAsync([one]));
        return told;
    }
}
