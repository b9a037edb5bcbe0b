using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Ledger;

/// <summary>
/// What this host knows first-hand, on its own disk: whom it mounted what for, the events that the shared catalog has not heard yet, and a copy of the cluster's
/// volumes. A file with the catalog's own schema, so that a restart needs no database to know what is mounted for whom.
/// </summary>
internal sealed class HostLedger : IDisposable
{
    readonly CatalogFile _file;

    HostLedger(CatalogFile file) => _file = file;

    /// <summary>Opens the file and loads what it knows into <paramref name="index"/>.</summary>
    /// <param name="now">By the cluster's clock.</param>
    internal static async Task<HostLedger> OpenAsync(string path, ThisHost host, DateTime now, VolumeIndex index, ILogger log) => new(await CatalogFile.OpenAsync(path, migrate: true, async db =>
    {
        await HostRows.ContinueGenerationsAsync(db, host);
        await db.InTransactionAsync(async transaction =>
        {
            await transaction.ExecuteAsync(HostRows.ForgetOthers(host));
            await transaction.ExecuteAsync(HostRows.Keep(host, now));
        });
        await index.LoadAsync(db);
    }, log));

    /// <summary>Writes down a mount, with the volume that it is of.</summary>
    /// <param name="untold">The event that the shared catalog has not heard.</param>
    internal Task KeepMountAsync(Volume volume, Mount mount, Event? untold) =>
        _file.ApplyAsync(VolumeRows.Keep(volume).Then(MountRows.Put(mount)).Then(untold is null ? [] : [EventRows.Append(untold)]));

    /// <summary>Writes down that mounts have ended; later, if the disk is full.</summary>
    internal Task LeaveAsync(IEnumerable<(Mount Mount, int Left, Event Untold)> left) =>
        _file.ApplyEventuallyAsync(Change.Quiet(
            $"UPDATE catalog SET revision = revision + 1", left.SelectMany(l => (FormattableString[])[MountRows.Leave(l.Mount, l.Left), EventRows.Append(l.Untold)])));

    /// <summary>Copies volumes of the cluster, for the time when it cannot be asked. Nobody waits for it.</summary>
    internal void Copy(IEnumerable<Volume> volumes)
    {
        foreach (var volume in volumes) _file.Post(VolumeRows.Keep(volume));
    }

    internal Task CopyAsync(Volume volume, Event untold) => _file.ApplyAsync(VolumeRows.Keep(volume).Then(EventRows.Append(untold)));

    internal void Record(Event untold) => _file.Post(Change.Quiet(EventRows.Append(untold)));

    internal void RaiseGeneration(ThisHost host, long generation, Event untold) => _file.Post(Change.Quiet(HostRows.SetGeneration(host, generation), EventRows.Append(untold)));

    /// <summary>The events that the shared catalog has perhaps not heard, oldest first.</summary>
    internal Task<List<Event>> ReadUntoldAsync(int limit) => _file.ReadAsync(async db =>
    {
        var events = new List<Event>();
        await db.ReadAsync($"SELECT operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail FROM events ORDER BY id LIMIT {limit}", row => events.Add(new Event
        {
            Operation = row.GetGuid(0),
            At = row.GetUtc(1),
            Host = row.GetString(2),
            VolumeId = row.IsDBNull(3) ? null : row.GetGuid(3),
            VolumeName = row.IsDBNull(4) ? null : row.GetString(4),
            Kind = row.GetString(5),
            CallerId = row.IsDBNull(6) ? null : row.GetString(6),
            DurationMs = row.IsDBNull(7) ? null : row.GetDouble(7),
            Error = row.IsDBNull(8) ? null : row.GetString(8),
            Detail = row.IsDBNull(9) ? null : row.GetString(9),
        }));
        return events;
    }, CancellationToken.None);

    /// <summary>The shared catalog has them.</summary>
    internal void ForgetTold(IReadOnlyList<Event> told)
    {
        if (told.Count > 0) _file.Post(Change.Quiet(Delete(told[0]), told.Skip(1).Select(Delete)));
    }

    internal Task ForgetToldAsync(IReadOnlyList<Event> told) => _file.ApplyAsync(Change.Quiet(Delete(told[0]), told.Skip(1).Select(Delete)));

    internal Task FlushAsync() => _file.FlushAsync();

    static FormattableString Delete(Event told) => $"DELETE FROM events WHERE operation = {told.Operation!.Value}";

    public void Dispose() => _file.Dispose();
}
