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
internal sealed partial class HostLedger : IDisposable
{
    const int Batch = 200;

    readonly CatalogFile _file;
    readonly ILogger _log;

    HostLedger(CatalogFile file, ILogger log) => (_file, _log) = (file, log);

    /// <summary>Opens the file and loads what it knows into <paramref name="index"/>.</summary>
    /// <param name="now">By the cluster's clock.</param>
    internal static async Task<HostLedger> OpenAsync(string path, ThisHost host, DateTime now, VolumeIndex index, Timings timings, ILogger log)
    {
        var isSure = false;
        var file = await CatalogFile.OpenAsync(path, "move it away with its -wal and -shm, then start again: what this host has mounted is taken from the shared catalog", migrate: true, timings, async db =>
        {
            isSure = await HostRows.IsSureAsync(db, host);
            await HostRows.ContinueGenerationsAsync(db, host);
            await HostRows.TryRegisterAsync(db, host, now, log, HostRows.Unsure);
            await index.LoadAsync(db);
        }, log);
        return new HostLedger(file, log) { IsSure = isSure };
    }

    /// <summary>Whether it knows all that this host has mounted in this boot. At the first start of a boot that is nothing; but so it looks, too, when the file was lost, or is an
    /// older one, and what the shared catalog says of this boot is true then.</summary>
    internal bool IsSure { get; private set; }

    /// <summary>What the shared catalog had of this boot is here by now.</summary>
    internal async Task SetSureAsync(ThisHost host)
    {
        await _file.ApplyAsync(Change.Quiet(HostRows.SetSure(host)));
        IsSure = true;
    }

    /// <summary>Writes down a mount, with the volume that it is of.</summary>
    /// <param name="untold">The event that the shared catalog has not heard.</param>
    internal Task KeepMountAsync(Volume volume, Mount mount, Event? untold) =>
        _file.ApplyAsync(VolumeRows.Keep(volume).Then(MountRows.Put(mount)).Then(untold is null ? [] : [EventRows.Append(untold)]));

    /// <summary>Writes down that mounts of a removed volume are its successor's.</summary>
    internal Task FollowAsync(Volume successor, IReadOnlyList<Mount> old, IReadOnlyList<Mount> own, Event untold) =>
        _file.ApplyAsync(VolumeRows.Keep(successor).Then([.. old.Select(m => MountRows.Leave(m, 0)), .. own.Select(MountRows.Put), EventRows.Append(untold)]));

    /// <summary>Writes down that mounts have ended; later, if the disk is full.</summary>
    internal Task LeaveAsync(IEnumerable<(Mount Mount, int Left, Event Untold)> left) =>
        _file.ApplyEventuallyAsync(Change.All([.. left.SelectMany(l => (FormattableString[])[MountRows.Leave(l.Mount, l.Left), EventRows.Append(l.Untold)])]));

    /// <summary>Copies volumes of the cluster, for the time when it cannot be asked. Nobody waits for it.</summary>
    internal void Copy(IEnumerable<Volume> volumes)
    {
        foreach (var some in volumes.Chunk(Batch)) _file.Post(KeepAll(some));
    }

    /// <summary>Makes the copy what the cluster has, a part after the other. A copy that cannot be written is one that is missing later, and no more.</summary>
    /// <param name="gone">Volumes that the cluster does not know any more.</param>
    internal async Task CopyAllAsync(IReadOnlyList<Volume> changed, IReadOnlyList<Guid> gone)
    {
        try
        {
            foreach (var some in gone.Chunk(Batch)) await _file.ApplyAsync(Change.All([.. some.Select(VolumeRows.Unkeep)]));
            foreach (var some in changed.Chunk(Batch)) await _file.ApplyAsync(KeepAll(some));
        }
        catch (VolumeException e)
        {
            LogNotCopied(e.Message);
        }
    }

    /// <remarks>Of a row that is not valid nothing is copied: what this host would read back would be another volume.</remarks>
    static Change KeepAll(Volume[] volumes) => Change.All([.. volumes.SelectMany(v => v.Fault is null ? VolumeRows.Keep(v).Statements : [VolumeRows.Unkeep(v.Id)])]);

    internal Task CopyAsync(Volume volume, Event untold) => _file.ApplyAsync(VolumeRows.Keep(volume).Then(EventRows.Append(untold)));

    internal void Record(Event untold) => _file.Post(Change.Quiet(EventRows.Append(untold)));

    internal void RaiseGeneration(ThisHost host, long generation, Event untold) => _file.Post(Change.Quiet(HostRows.SetGeneration(host, generation), EventRows.Append(untold)));

    /// <summary>The events that the shared catalog has perhaps not heard, oldest first.</summary>
    /// <param name="skip">How many of them are passed over.</param>
    internal Task<List<Event>> ReadUntoldAsync(int skip, int limit) => _file.ReadAsync(async db =>
    {
        var events = new List<Event>();
        await db.ReadAsync(
            $"SELECT id, operation, at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail, mounted_at, actor FROM events ORDER BY id LIMIT {limit} OFFSET {skip}",
            row => events.Add(EventRows.Read(row, row.GetGuid(1))));
        return events;
    }, CancellationToken.None);

    internal Task<long> CountUntoldAsync() => _file.ReadAsync(async db =>
    {
        var count = 0L;
        await db.ReadAsync($"SELECT count(*) FROM events", row => count = row.GetInt64(0));
        return count;
    }, CancellationToken.None);

    /// <summary>The shared catalog has them.</summary>
    internal void ForgetTold(IReadOnlyList<Event> told)
    {
        if (told.Count > 0) _file.Post(Delete(told));
    }

    internal Task ForgetToldAsync(IReadOnlyList<Event> told) => _file.ApplyAsync(Delete(told));

    internal Task FlushAsync() => _file.FlushAsync();

    static Change Delete(IEnumerable<Event> told) => Change.All([.. told.Select(e => (FormattableString)$"DELETE FROM events WHERE operation = {e.Operation!.Value}")]);

    public void Dispose() => _file.Dispose();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The ledger's copy of the cluster's volumes is not complete: {Reason}")]
    partial void LogNotCopied(string reason);
}
