using System.Runtime.CompilerServices;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <content>How volumes end, and come back; and what one host does for all.</content>
internal sealed partial class ClusterCatalog
{
    internal override async Task<(bool Made, Volume? Now)> BeginRemovalAsync(Volume volume, Func<Volume, bool>? isMeant)
    {
        var change = isMeant is null ? VolumeRows.BeginRemoval(volume, Now) : VolumeRows.BeginRemovalAsRead(volume, Now);
        var (made, now) = await DecideAsync(change, SharedVolumeRows.ById(volume.Id), volume.Name);
        return (made, now is { IsLiving: true } ? now : null);
    }

    internal override Task CancelRemovalAsync(Volume volume) => DecideAsync(VolumeRows.CancelRemoval(volume), SharedVolumeRows.ById(volume.Id), volume.Name);

    internal override async Task<bool> EndRemovalAsync(Volume removed, Event entry) =>
        (await DecideAsync(VolumeRows.SetRemoved(removed, entry), SharedVolumeRows.ById(removed.Id), removed.Name)).Made;

    internal override async Task<List<Volume>> ReadTrashAsync(Guid? only, CancellationToken cancellation)
    {
        await _link.WaitAsync();
        return await ReadAsync(SharedVolumeRows.InTrash(only), cancellation);
    }

    /// <param name="query">One of <see cref="SharedVolumeRows"/>.</param>
    async Task<List<Volume>> ReadAsync(FormattableString query, CancellationToken cancellation)
    {
        var volumes = new List<Volume>();
        await _database.ReadAsync(query, row =>
        {
            if (SharedVolumeRows.Read(row, _membership.Learn).Volume is { } volume) volumes.Add(volume);
        }, cancellation);
        return volumes;
    }

    internal override async Task UntilHeardAsync(DateTime since, Func<string, string> whyNot, CancellationToken cancellation)
    {
        // A live host hears with its next heartbeat, and its next one tells that it has heard.
        for (; ; await Task.Delay(Timings.HeardPause, cancellation))
        {
            var unheard = new List<(string Name, string State)>();
            await _database.ReadAsync(SharedVolumeRows.NotHeard(_host.Id, since), row => unheard.Add((row.GetString(0), row.GetString(1))), cancellation);
            if (unheard.Count == 0) return;
            if (unheard.Find(host => host.State != "live") is { Name: { } lost })
            {
                throw new VolumeException(whyNot(lost));
            }
        }
    }

    internal override async Task<Volume?> BeginRestoreAsync(Volume trashed, Volume restoring)
    {
        var (made, now) = await DecideAsync(TrashRows.BeginRestore(trashed, restoring), SharedVolumeRows.ById(trashed.Id), restoring.Name);
        return made || (now?.State, now?.Name, now?.RemovedAt) == (restoring.State, restoring.Name, restoring.RemovedAt) ? now : null;
    }

    internal override async Task<(string Name, string Version)?> FindOldHostAsync(CancellationToken cancellation)
    {
        (string, string)? old = null;
        await _database.ReadAsync(FormattableStringFactory.Create(TrashRows.OldHosts + " ORDER BY name LIMIT 1"), row => old = (row.GetString(0), row.GetString(1)), cancellation);
        return old;
    }

    internal override async Task EndRestoreAsync(Volume ready, Event entry)
    {
        var (_, now) = await DecideAsync(TrashRows.EndRestore(ready, entry), SharedVolumeRows.ById(ready.Id), ready.Name);
        if (now?.State != VolumeState.Ready) throw new VolumeException($"the restoration of volume {ready.Name} was taken back on another host while its data left the trash: see docker volume ls and volman trash ls");
        _ledger.Copy([now]);
    }

    internal override Task CancelRestoreAsync(Volume restoring, Volume trashed) => DecideAsync(TrashRows.CancelRestore(trashed), SharedVolumeRows.ById(trashed.Id), trashed.Name);

    internal override async Task<bool> MakeDueAsync(Volume trashed, Event entry)
    {
        var (made, now) = await DecideAsync(TrashRows.MakeDue(trashed, entry), SharedVolumeRows.ById(trashed.Id), trashed.Name);
        return made || (now is { State: VolumeState.Trashed } && now.PurgeAfter == now.RemovedAt);
    }

    internal override async Task AsJanitorAsync(Func<CancellationToken, Task<bool>> work, CancellationToken cancellation)
    {
        if (_link.IsOnline && !await _janitor.RunAsync(work, cancellation)) LogNotJanitor();
    }

    internal override async Task AsSamplerAsync(Func<CancellationToken, Task<bool>> work, CancellationToken cancellation)
    {
        if (!await _sampler.RunAsync(work, cancellation)) LogNotSampler();
    }

    internal override async Task<List<Volume>> ReadDueAsync(string rootId, Volume? after, int limit, CancellationToken cancellation) =>
        VolumeRows.InOrderOfDue(await ReadAsync(SharedVolumeRows.In(VolumeRows.Due(Now, rootId, _host.Id, after, limit)), cancellation));

    internal override async Task<Volume?> BeginPurgeAsync(Volume due) =>
        (await DecideAsync(TrashRows.BeginPurge(due), SharedVolumeRows.ById(due.Id), due.Name)).Now is { State: VolumeState.Purging, Mounts.IsEmpty: true } purging ? purging : null;

    internal override Task SetGoneAsync(Volume volume, Event entry) => DecideAsync(VolumeRows.SetGone(volume, Now, entry), SharedVolumeRows.ById(volume.Id), volume.Name);

    internal override Task ForgetAsync(Volume volume) => _database.ApplyAsync(VolumeRows.Forget(volume));

    internal override Task<int> PruneAsync(FormattableString oldest) => _database.ApplyAsync(Change.Quiet(oldest));

    internal override async Task<List<Volume>> ReadUnmeasuredAsync(DateTime before, string rootId, Volume? after, int limit, CancellationToken cancellation) =>
        _link.IsOnline ? UsageRows.InOrderOfDue(await ReadAsync(SharedVolumeRows.In(UsageRows.Due(before, Now, rootId, after, limit)), cancellation)) : [];

    internal override Task KeepUsageAsync(Volume volume, UsageSample sample, DateTime before) => _database.ApplyAsync(UsageRows.Keep(sample, before));
}
