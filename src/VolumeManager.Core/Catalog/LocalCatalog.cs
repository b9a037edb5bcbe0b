using System.Data.Common;
using Microsoft.Extensions.Logging;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>The catalog of one host. This process alone writes it, and puts each change into memory when it is on disk and before it is acknowledged, so memory answers.</summary>
internal sealed partial class LocalCatalog : VolumeCatalog
{
    readonly ThisHost _host;
    CatalogFile _file = null!;

    LocalCatalog(ThisHost host, Timings timings)
        : base(host.Id, timings) => _host = host;

    internal override string Scope => "local";

    internal override string Name => _file.Path;

    internal override string Schema => SchemaVersion.Known(SqliteCatalog.MigrationsAssembly)[^1];

    internal override DateTime Now => DateTime.UtcNow;

    /// <summary>Opens the file and counts the engine's generations on from it.</summary>
    internal static async Task<LocalCatalog> OpenAsync(string path, bool migrate, ThisHost host, Timings timings, ILogger log)
    {
        var catalog = new LocalCatalog(host, timings);
        catalog._file = await CatalogFile.OpenAsync(path, "mend its disk or restore it from a backup, then start again", migrate, timings, async db =>
        {
            await HostRows.ContinueGenerationsAsync(db, host);
            await HostRows.TryRegisterAsync(db, host, catalog.Now, log);
            await catalog.Index.LoadAsync(db);
        }, log);
        return catalog;
    }

    internal override HostInfo InfoOf(Guid host) => new(_host.Name, "live");

    internal override ValueTask<Volume?> FindAsync(string name, CancellationToken cancellation, bool mustBeCurrent = false) => new(Index.TryFind(name, out var volume) ? volume : null);

    internal override ValueTask<IEnumerable<Volume>> ListAsync(CancellationToken cancellation) => new(Index.All);

    /// <summary>Whether any volume, the trashed ones too, has data in the data root.</summary>
    internal Task<bool> HasDataAsync() => _file.ReadAsync(db => db.AnyAsync($"SELECT 1 FROM volumes WHERE backend = 'local' AND state <> 'gone'"), CancellationToken.None);

    internal override async Task<bool> TryCreateAsync(Volume volume, Event entry)
    {
        if (!await _file.ApplyAsync(VolumeRows.Insert(volume, entry))) return false;
        Index.Put(volume);
        return true;
    }

    internal override async Task<Claim> ClaimAsync(Volume volume, Mount mount, Event entry) => await _file.ApplyAsync(MountRows.Claim(mount, entry))
        ? new Claim(true, Index.SetOwn(volume, [.. volume.Mounts.Where(m => m.CallerId != mount.CallerId), mount]))
        : new Claim(false, Index.TryFind(volume.Name, out var now) ? now : null);

    internal override Task ReleaseAsync(Volume volume, Mount mount, int left, Event entry)
    {
        Index.SetOwn(volume, left > 0 ? volume.Mounts.Replace(mount, mount with { Count = left }) : volume.Mounts.Remove(mount));
        return _file.ApplyEventuallyAsync(Change.Of(MountRows.Leave(mount, left), MountRows.Touch(volume.Id, Now), EventRows.Append(entry)));
    }

    internal override async Task DropAsync(Volume volume, IReadOnlyList<(Mount Mount, Event Entry)> stale)
    {
        await _file.ApplyAsync(Change.Of(
            MountRows.Touch(volume.Id, Now), stale.SelectMany(s => (FormattableString[])[MountRows.Leave(s.Mount, 0), EventRows.Append(s.Entry)])));
        Index.SetOwn(volume, volume.Mounts.RemoveRange(stale.Select(s => s.Mount)));
    }

    internal override async Task<(bool Made, Volume? Now)> ChangeAsync(Change change, Volume changed, Volume? made = null)
    {
        if (!await _file.ApplyAsync(change)) return (false, Index.TryFind(changed.Name, out var now) ? now : null);
        Index.Put(changed);
        if (made is not null) Index.Put(made);
        return (true, changed);
    }

    internal override async Task SetProvisionedAsync(Volume provisioned, Event entry)
    {
        await _file.ApplyAsync(VolumeRows.SetProvisioned(provisioned, entry));
        Index.Put(provisioned);
    }

    internal override async Task<(bool Made, Volume? Now)> BeginRemovalAsync(Volume volume, Func<Volume, bool>? isMeant)
    {
        var removing = volume with { State = VolumeState.Removing, RemovedAt = Now };
        var closing = VolumeRows.BeginRemoval(volume, removing.RemovedAt.Value);
        if (!await _file.ApplyAsync(closing, isMeant is null ? null : IsMeantAsync)) return (false, volume);
        Index.Put(removing);
        return (true, removing);

        // By the row: memory knows no revisions, and figures come into it without the volume's lock.
        async Task<bool> IsMeantAsync(CatalogConnection db) => (await TrashRows.ReadAsync(db, $"id = {volume.Id}")) is [var now] && isMeant(now with { Mounts = volume.Mounts });
    }

    internal override async Task CancelRemovalAsync(Volume volume)
    {
        await _file.ApplyAsync(VolumeRows.CancelRemoval(volume));
        Index.Put(volume with { State = VolumeState.Ready, RemovedAt = null });
    }

    internal override async Task<bool> EndRemovalAsync(Volume removed, Event entry)
    {
        await _file.ApplyAsync(VolumeRows.SetRemoved(removed, entry));
        Index.Remove(removed);
        return true;
    }

    internal override Task<List<Volume>> ReadTrashAsync(Guid? only, CancellationToken cancellation) => _file.ReadAsync(db => TrashRows.ReadAsync(db, TrashRows.InTrash(only)), cancellation);

    internal override async Task<Volume?> BeginRestoreAsync(Volume trashed, Volume restoring)
    {
        if (!await _file.ApplyAsync(TrashRows.BeginRestore(trashed, restoring))) return null;
        Index.Put(restoring);
        return restoring;
    }

    internal override async Task EndRestoreAsync(Volume ready, Event entry)
    {
        if (!await _file.ApplyAsync(TrashRows.EndRestore(ready, entry))) throw new VolumeException($"volume {ready.Name} is not being restored any more: see docker volume ls and volman trash ls");
        Index.Put(ready);
    }

    internal override async Task CancelRestoreAsync(Volume restoring, Volume trashed)
    {
        if (await _file.ApplyAsync(TrashRows.CancelRestore(trashed))) Index.Remove(restoring);
    }

    internal override Task<bool> MakeDueAsync(Volume trashed, Event entry) => _file.ApplyAsync(TrashRows.MakeDue(trashed, entry));

    internal override async Task<Volume?> BeginPurgeAsync(Volume due) => await _file.ApplyAsync(TrashRows.BeginPurge(due))
        ? (await _file.ReadAsync(db => TrashRows.ReadAsync(db, $"id = {due.Id}"), CancellationToken.None)).FirstOrDefault()
        : null;

    internal override Task<List<Volume>> ReadDueAsync(string rootId, Volume? after, int limit, CancellationToken cancellation) => _file.ReadAsync(
        async db => VolumeRows.InOrderOfDue(await TrashRows.ReadAsync(db, TrashRows.In(VolumeRows.Due(Now, rootId, asker: null, after, limit)))), cancellation);

    internal override Task SetGoneAsync(Volume volume, Event entry) => _file.ApplyAsync(VolumeRows.SetGone(volume, Now, entry));

    internal override Task ForgetAsync(Volume volume) => _file.ApplyAsync(VolumeRows.Forget(volume));

    internal override Task<int> PruneAsync(FormattableString oldest) => _file.ReadAsync(db => db.ExecuteAsync(oldest), CancellationToken.None);

    internal override Task<List<Volume>> ReadUnmeasuredAsync(DateTime before, string rootId, Volume? after, int limit, CancellationToken cancellation) => _file.ReadAsync(
        async db => UsageRows.InOrderOfDue(await TrashRows.ReadAsync(db, TrashRows.In(UsageRows.Due(before, Now, rootId, after, limit)))), cancellation);

    internal override async Task KeepUsageAsync(Volume volume, UsageSample sample, DateTime before)
    {
        if (await _file.ApplyAsync(UsageRows.Keep(sample, before))) Index.SetUsage(volume.Name, sample);
    }

    internal override Task<IReadOnlyList<HostListing>> ListHostsAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<HostListing>>(
        [new HostListing(_host.Id, _host.Name, "live", Index.All.Sum(v => v.Mounts.Length), null, Now, ProgramVersion.Text)]);

    /// <summary>Over a connection of its own: readers of a write-ahead log keep no writer waiting.</summary>
    internal override async Task ReadAsync(FormattableString query, Action<DbDataReader> row, CancellationToken cancellation)
    {
        try
        {
            // SQLite blocks the thread.
            await Task.Run(
                async () =>
                {
                    using var db = SqliteCatalog.Open(Name, Timings);
                    await db.ReadAsync(query, row);
                }, cancellation);
        }
        catch (DbException e)
        {
            throw new VolumeException($"the catalog {Name} cannot be read ({e.Message}): see to its disk, then try again", e);
        }
    }

    internal override Task<bool> ApplyAsync(Change change) => _file.ApplyAsync(change);

    internal override Task<DbConnection> OpenForReportsAsync(CancellationToken cancellation) => Task.FromResult(SqliteCatalog.OpenForReports(_file.Path));

    internal override Task TellMountsAsync(Guid id, string name) => _file.ApplyAsync(MountRows.Replace(id, _host.Id, Index.OwnOf(id), Now));

    internal override async Task RereadAsync(string name, CancellationToken cancellation)
    {
        var there = (await _file.ReadAsync(db => TrashRows.ReadAsync(db, $"name = {name} AND state IN ('ready', 'removing', 'restoring')"), cancellation)).FirstOrDefault();
        Index.TryFind(name, out var known);
        if (there is not null) Index.Put(there with { Mounts = Index.OwnOf(there.Id) });
        else if (known?.IsMountedOn(_host.Id) == false) Index.Remove(known);
    }

    internal override void Record(Event entry) => _file.Post(Change.Quiet(EventRows.Append(entry)));

    internal override void RaiseGeneration(long generation, Event entry) => _file.Post(Change.Quiet(HostRows.SetGeneration(_host, generation), EventRows.Append(entry)));

    internal override Task FlushAsync() => _file.FlushAsync();

    public override ValueTask DisposeAsync()
    {
        _file.Dispose();
        return ValueTask.CompletedTask;
    }
}
