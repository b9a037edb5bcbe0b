using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Ledger;

/// <summary>
/// Keeps this host a part of its cluster: joins, renews the lease, takes in what others change, and when the link was lost joins anew. To join is to hear all that
/// the catalog knows, and to tell it all that the ledger knows: the mounts as they are, and in their order the events that it has not heard.
/// </summary>
internal sealed partial class ClusterJoin(
    ThisHost host, TimeSpan lease, Timings timings, PostgresDatabase database, HostLedger ledger, VolumeIndex index, ClusterLink link, Membership membership, ILogger log) : IAsyncDisposable
{
    const int Batch = 200;

    readonly CancellationTokenSource _stopping = new();
    readonly SemaphoreSlim _wake = new(0);
    readonly TaskCompletionSource _refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly HashSet<Guid> _told = [];
    Action _attention = () => { };
    Task _running = Task.CompletedTask;
    long _revision;
    long _forgetUpTo;
    bool _hasJoined;
    bool _isAwayLogged;

    /// <summary>Faults when this host must not take part in the cluster.</summary>
    internal Task Refused => _refused.Task;

    /// <summary>Joins, or gives up for now when the database does not answer soon, and then keeps joined in the background.</summary>
    /// <exception cref="HostRefusedException">Another machine has this host's name or id.</exception>
    /// <exception cref="CatalogSchemaException">The schema does not fit this program.</exception>
    internal async Task StartAsync(Action attention, CancellationToken cancellation)
    {
        _attention = attention;
        link.OnLost = () => _wake.Release();
        var first = TryJoinAsync();
        await Task.WhenAny(first, Task.Delay(timings.FirstJoin, cancellation));
        if (first.IsCompleted) await first;
        _running = RunAsync(first);
    }

    async Task RunAsync(Task first)
    {
        await first.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await _wake.WaitAsync(link.IsOnline ? lease / 3 : timings.JoinRetry, _stopping.Token);
                if (link.IsOnline) await RenewAsync();
                else await TryJoinAsync();
            }
            catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is HostRefusedException || (e is CatalogSchemaException && !_hasJoined))
            {
                _refused.TrySetException(e);
                return;
            }
            catch (VolumeException e)
            {
                link.Lost(e, membership.Now);
                LogLost(e.Message);
            }
#pragma warning disable CA1031 // The lease must be kept, whatever one turn met.
            catch (Exception e)
#pragma warning restore CA1031
            {
                link.Lost(e, membership.Now);
                LogFailed(e);
            }
        }
    }

    async Task RenewAsync()
    {
        var (heard, before) = (new List<Volume>(), Interlocked.Read(ref _revision));
        await membership.RenewAsync(before, row => Take(before, SharedVolumeRows.Read(row, membership.Learn), heard));
        ledger.Copy(heard);
        // Whatever was asked before the last heartbeat has its answer.
        index.ForgetGone(_forgetUpTo);
        _forgetUpTo = before;
        await DeliverAsync();
        foreach (var (id, name) in link.TakeUntold())
        {
            try
            {
                await TellAsync(id, name);
            }
            catch (VolumeException e) when (e is not CatalogAwayException)
            {
                LogNotTold(name, e.Message);
            }
        }
    }

    /// <summary>Hears what has changed.</summary>
    internal async Task RefreshAsync(CancellationToken cancellation)
    {
        var (heard, known) = (new List<Volume>(), Interlocked.Read(ref _revision));
        await database.ReadAsync(SharedVolumeRows.ChangedSince(known), row => Take(known, SharedVolumeRows.Read(row, membership.Learn), heard), cancellation);
        ledger.Copy(heard);
    }

    void Take(long known, (long Revision, Volume? Volume) row, List<Volume> heard)
    {
        if (row.Revision < known) throw WentBack();
        if (row.Volume is not null)
        {
            heard.Add(row.Volume);
            index.Learn(row.Volume);
        }

        // All rows are of one moment, so the first is as good as the last.
        InterlockedMax(ref _revision, row.Revision);
    }

    CatalogAwayException WentBack() => new($"the catalog's database {database.Name} knows less than it did: this host joins the cluster anew");

    static void InterlockedMax(ref long value, long atLeast)
    {
        for (var known = Interlocked.Read(ref value); known < atLeast;)
        {
            var found = Interlocked.CompareExchange(ref value, atLeast, known);
            if (found == known) return;
            known = found;
        }
    }

    /// <summary>Asks about one volume, and takes in the answer.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer, or has gone back behind what it said before: a standby, or one that was restored.</exception>
    internal Task AskAsync(string name, FormattableString question, CancellationToken cancellation)
    {
        var known = Interlocked.Read(ref _revision);
        return database.ReadAsync(question, row =>
        {
            var answer = SharedVolumeRows.Read(row, membership.Learn);
            if (answer.Revision < known) throw WentBack();
            Learn(name, answer);
        }, cancellation);
    }

    /// <summary>Makes a change as the member that this host is now, and takes in what has become of the volume: one round trip.</summary>
    /// <param name="readBack">The question about the volume.</param>
    /// <returns>Whether the change was made, and the volume as it is known now; null for none.</returns>
    /// <exception cref="CatalogAwayException">The database does not answer, or does not take this host for a member.</exception>
    internal async Task<(bool Made, Volume? Now)> ApplyAsync(Change change, FormattableString readBack, string name)
    {
        Volume? now = null;
        var affected = await database.ApplyAsync(membership.ByThisHost(change), readBack, (_, row) => now = Learn(name, SharedVolumeRows.Read(row, membership.Learn)));
        return (affected > 0, now);
    }

    /// <summary>Takes in the answer to a question about one volume.</summary>
    /// <returns>The volume as it is known now; null for none.</returns>
    Volume? Learn(string name, (long Revision, Volume? Volume) answer)
    {
        if (answer.Volume is not null) index.Learn(answer.Volume);
        else index.LearnGone(name, answer.Revision);
        if (answer.Volume is null) return null;
        return index.TryFind(name, out var known) && known.Id == answer.Volume.Id ? known : answer.Volume;
    }

    async Task TryJoinAsync()
    {
        try
        {
            await JoinAsync();
            _isAwayLogged = false;
        }
        catch (VolumeException e) when (e is not HostRefusedException)
        {
            link.Lost(e, membership.Now);
            // Once an outage: its reason changes from attempt to attempt.
            if (!_isAwayLogged) LogAway(e.Message);
            _isAwayLogged = true;
        }
    }

    async Task JoinAsync()
    {
        await PostgresSchema.CheckAsync(database, newerIsRefused: !_hasJoined, _stopping.Token);
        await membership.RegisterAsync();
        link.BeginJoin();
        var claimed = await HearAllAsync();
        if (!ledger.IsSure) await TakeUpAsync(claimed);
        await TellAllAsync();
        for (IReadOnlyList<(Guid Id, string Name)> untold; (untold = link.TakeUntoldOrGoOnline()).Count > 0;)
        {
            foreach (var (id, name) in untold) await TellAsync(id, name);
            await DeliverAsync();
        }

        // Only now: what was removed before this moment may be deleted, for all that this host holds is told.
        var (heard, known) = (new List<Volume>(), _revision);
        await membership.RenewAsync(known, row => Take(known, SharedVolumeRows.Read(row, membership.Learn), heard));
        ledger.Copy(heard);
        _hasJoined = true;
        LogJoined(database.Name, index.Count);
        FindLost();
    }

    /// <returns>The volumes of which the catalog has claims of this host in this boot.</returns>
    async Task<List<Volume>> HearAllAsync()
    {
        var living = new HashSet<Guid>();
        var (changed, claimed) = (new List<Volume>(), new List<Volume>());
        // One that was mounted here when it got another name is there under both.
        var known = index.All.DistinctBy(v => v.Id).ToDictionary(v => v.Id, v => (v.Revision, v.State));
        var revision = 0L;
        await database.ReadAsync(SharedVolumeRows.ChangedSince(-1), row =>
        {
            var (at, volume) = SharedVolumeRows.Read(row, membership.Learn);
            revision = at;
            if (volume is null) return;
            if (volume.Mounts.Any(IsOfThisBoot)) claimed.Add(volume);
            if (volume.IsLiving) living.Add(volume.Id);
            if ((volume.IsLiving || known.ContainsKey(volume.Id)) && (!known.TryGetValue(volume.Id, out var before) || before != (volume.Revision, volume.State))) changed.Add(volume);
            // What was mounted for the first time while nobody could be told, and is not mounted any more.
            if (index.Learn(volume, anew: true).ProvisionedAt is not null && volume is { IsLiving: true, ProvisionedAt: null }) link.Doubt(volume.Id, volume.Name);
        }, _stopping.Token);
        index.LearnOnly(living);
        (_revision, _forgetUpTo) = (revision, 0);
        await ledger.CopyAllAsync(changed, [.. known.Keys.Where(id => !living.Contains(id))]);
        return claimed;
    }

    bool IsOfThisBoot(Mount mount) => mount.HostId == host.Id && mount.BootId == host.BootId;

    /// <summary>Takes the catalog's word for what this host has mounted in this boot, because its own ledger does not know: it was lost, or is of before the boot. Else the host would
    /// tell the catalog that it has nothing mounted, and others would remove what its containers use.</summary>
    async Task TakeUpAsync(IReadOnlyList<Volume> claimed)
    {
        foreach (var volume in claimed)
        {
            await link.HoldAsync(volume.Id);
            try
            {
                // What was mounted since the start is known better here.
                var own = index.OwnOf(volume.Id);
                var taken = volume.Mounts.Where(m => IsOfThisBoot(m) && !own.Any(o => o.CallerId == m.CallerId)).ToList();
                foreach (var mount in taken)
                {
                    host.Engine.ContinueFrom(mount.EngineGeneration);
                    // Of a row that is not valid nothing is copied.
                    if (volume.Fault is null) await ledger.KeepMountAsync(volume, mount, untold: null);
                }

                if (taken.Count == 0) continue;
                index.SetOwn(volume, [.. own, .. taken]);
                LogTakenUp(volume.Name, taken.Count);
            }
            finally
            {
                if (link.Release(volume.Id)) link.Doubt(volume.Id, volume.Name);
            }
        }

        await ledger.SetSureAsync(host);
    }

    /// <summary>Volumes that this host has mounted, and that are not its own to mount any more: removed, or given to another host while this one was away.</summary>
    void FindLost()
    {
        foreach (var volume in index.All.Where(v => v.IsMountedOn(host.Id)))
        {
            var isTaken = volume.IsTakenFrom(host.Id);
            var kind = isTaken ? EventKind.GiveUp : EventKind.Conflict;
            if ((volume.IsLiving && !isTaken) || !_told.Add(OperationOf(kind, volume.Id, volume.Epoch))) continue;
            var detail = isTaken
                ? $"another host has {(volume.IsExclusive ? "taken the volume" : "moved the volume to another place")}, epoch {volume.Epoch}: it is handed to no caller here any more; the containers here that still use it must be stopped"
                : "the volume was removed on another host while containers of this host use it: its data waits in the trash until they have ended";
            LogLostVolume(volume.Name, detail);
            ledger.Record(new Event
            {
                Operation = OperationOf(kind, volume.Id, volume.Epoch),
                At = membership.Now,
                Host = host.Name,
                VolumeId = volume.Id,
                VolumeName = volume.Name,
                Kind = kind,
                Detail = detail,
            });
        }

        _attention();
        _wake.Release();
    }

    /// <summary>The same for the same matter, so that a restart does not tell of it twice.</summary>
    Guid OperationOf(string kind, Guid volume, long epoch) =>
        new(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{kind} {volume} {epoch} {host.Id} {host.BootId}")).AsSpan(0, 16));

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running.WaitAsync(timings.HeartbeatStop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!link.IsOnline) return;
        await membership.LeaveAsync().WaitAsync(timings.LeaveWait).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // All messages of a class in one file: of two, the generator takes now the one first and now the other, and no two builds are the same.
    [LoggerMessage(Level = LogLevel.Information, Message = "Joined the cluster: database {Database}, volumes {Volumes}")]
    partial void LogJoined(string database, int volumes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume}: {Count} claims of this host are not in its ledger, which was lost: taken from the catalog")]
    partial void LogTakenUp(string volume, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The cluster's catalog is away, the ledger answers: {Reason}")]
    partial void LogAway(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The link to the cluster's catalog is lost, the ledger answers: {Reason}")]
    partial void LogLost(string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "A turn of keeping this host in its cluster failed; the next one comes")]
    partial void LogFailed(Exception failure);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The cluster's catalog cannot be told an event ({Kind} of {Subject}) now, it is kept for the next heartbeat: {Reason}")]
    partial void LogEventNotTold(string kind, string subject, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The cluster's catalog cannot be told of {Volume} now, it is told with the next heartbeat: {Reason}")]
    partial void LogNotTold(string volume, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Volume {Volume}: {Detail}")]
    partial void LogLostVolume(string volume, string detail);
}
