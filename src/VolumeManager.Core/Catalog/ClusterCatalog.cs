using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using VolumeManager.Hosts;
using VolumeManager.Ledger;
using VolumeManager.Mounts;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>
/// The catalog that many hosts share. The database decides; what this host mounts is written into its own ledger as well, and while the database is away the
/// ledger answers. What happens meanwhile is told when it is back (<see cref="ClusterJoin"/>).
/// </summary>
internal sealed partial class ClusterCatalog : VolumeCatalog
{
    // Another server takes over within some seconds; a single one that is away may stay so.
    static readonly TimeSpan s_failoverTime = TimeSpan.FromSeconds(20);
    static readonly TimeSpan s_restartTime = TimeSpan.FromSeconds(2);

    readonly ThisHost _host;
    readonly TimeSpan _grace;
    readonly JanitorClaim _janitor;
    readonly PostgresDatabase _database;
    readonly ClusterLink _link;
    readonly Membership _membership;
    readonly ILogger _log;
    HostLedger _ledger = null!;
    ClusterJoin _join = null!;

    ClusterCatalog(Settings settings, ThisHost host, PostgresDatabase database, ClusterClock clock, ILogger log)
        : base(host.Id)
    {
        _host = host;
        _grace = settings.TakeoverGrace;
        _janitor = new JanitorClaim(database, host.Id, settings.JanitorTime);
        _database = database;
        _log = log;
        _link = new ClusterLink(clock.Now, database.IsMultiHost ? s_failoverTime : s_restartTime);
        _membership = new Membership(host, settings, database, clock);
    }

    /// <summary>Opens the ledger. Of the database no more than the time is asked before <see cref="JoinAsync"/>.</summary>
    /// <exception cref="VolumeException">The host has a catalog of its own, whose volumes the cluster does not know.</exception>
    internal static async Task<ClusterCatalog> OpenAsync(Settings settings, StateDirectory state, ThisHost host, ILoggerFactory logs)
    {
        if (File.Exists(state.CatalogFile))
        {
            throw new VolumeException($"this host has a catalog of its own, {state.CatalogFile}, that the cluster does not know: run volman migrate --from-local, or move the file away to begin without its volumes");
        }

        var database = new PostgresDatabase(settings.Database, host.Name);
        var clock = await ClusterClock.OpenAsync(state, host.BootId, database);
        var catalog = new ClusterCatalog(settings, host, database, clock, logs.CreateLogger<ClusterCatalog>());
        catalog._ledger = await HostLedger.OpenAsync(state.LedgerFile, host, clock.Now, catalog.Index, logs.CreateLogger<HostLedger>());
        catalog._join = new ClusterJoin(
            host, settings.Lease, catalog._database, catalog._ledger, catalog.Index, catalog._link, catalog._membership, logs.CreateLogger<ClusterJoin>());
        return catalog;
    }

    /// <summary>Joins the cluster if its database answers, and from then on keeps this host's lease and what it knows up to date.</summary>
    /// <param name="attention">Told when this host has lost a volume that it has mounted.</param>
    internal Task JoinAsync(Action attention, CancellationToken cancellation) => _join.StartAsync(attention, cancellation);

    internal override Task Refused => _join.Refused;
    internal override string Scope => "global";
    internal override string Name => _database.Name;
    internal override DateTime Now => _membership.Now;
    internal override DateTime? StaleSince => _link.StaleSince;
    internal override HostInfo InfoOf(Guid host) => _membership.InfoOf(host);

    internal override async ValueTask<Volume?> FindAsync(string name, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            var isKnown = Index.TryFind(name, out var known);
            if (!_link.IsOnline)
            {
                if (isKnown) return known;
                await _link.WaitAsync();
            }

            try
            {
                await _join.AskAsync(name, SharedVolumeRows.ByName(name), cancellation);
                if (!Index.TryFind(name, out var found)) return null;
                // What an engine of this host was told of once it will ask for again, perhaps while nobody else can be asked.
                if (!isKnown) _ledger.Copy([found]);
                return found;
            }
            catch (CatalogAwayException e)
            {
                _link.Lost(e, Now);
                if (attempt < 3) continue;
                if (isKnown) return known;
                throw;
            }
            catch (VolumeException) when (isKnown)
            {
                // A database that refuses to answer is no reason to forget what is known.
                return known;
            }
        }
    }

    internal override async Task<Volume?> FindSuccessorAsync(Volume removed)
    {
        Volume? living = null;
        if (_link.IsOnline)
        {
            await _database.ReadAsync(SharedVolumeRows.ByName(removed.Name), row => living = SharedVolumeRows.Read(row, _membership.Learn).Volume, CancellationToken.None);
        }

        return living is not null && living.Id != removed.Id && (living.Backend, living.Server, living.Export, living.Directory) == (removed.Backend, removed.Server, removed.Export, removed.Directory)
            ? living
            : null;
    }

    internal override async Task FollowAsync(Volume removed, Volume successor, Event entry)
    {
        await HoldingAsync(successor, async () =>
        {
            var old = OwnOf(removed);
            ImmutableArray<Mount> own = [.. old.Select(m => m with { VolumeId = successor.Id, Epoch = successor.Epoch })];
            await _ledger.FollowAsync(successor, old, own, entry);
            _link.Owe(successor.Id);
            return Index.Follow(successor, own);
        });
        if (_link.Tell(removed.Id, removed.Name)) await TryTellAsync(removed);
    }

    internal override async ValueTask<IEnumerable<Volume>> ListAsync(CancellationToken cancellation)
    {
        try
        {
            if (_link.IsOnline) await _join.RefreshAsync(cancellation);
        }
        catch (CatalogAwayException e)
        {
            _link.Lost(e, Now);
        }

        return Index.All;
    }

    internal override async Task<bool> TryCreateAsync(Volume volume, Event entry)
    {
        var (made, now) = await DecideAsync(VolumeRows.Insert(volume, entry), SharedVolumeRows.ByName(volume.Name), volume.Name);
        if (now is not null) _ledger.Copy([now]);
        return made || now?.Id == volume.Id;
    }

    internal override async Task<Claim> ClaimAsync(Volume volume, Mount mount, Event entry)
    {
        if (volume.IsTakenFrom(_host.Id))
        {
            throw new VolumeException($"volume {volume.Name} was taken over by another host while this one was lost: stop the containers of this host that still use it, then try again");
        }

        for (var attempt = 1; ; attempt++)
        {
            // Who may be alone with it only the database can say.
            if (volume.IsExclusive) await _link.WaitAsync();
            try
            {
                return await HoldingAsync(volume, () => ClaimHeldAsync(volume, mount, entry));
            }
            catch (CatalogAwayException) when (volume.IsExclusive)
            {
                _link.Doubt(volume.Id, volume.Name);
                if (attempt == 3) throw;
            }
        }
    }

    async Task<Claim> ClaimHeldAsync(Volume volume, Mount mount, Event entry)
    {
        try
        {
            if (_link.IsOnline || volume.IsExclusive)
            {
                var (made, now) = await DecideAsync(MountRows.Claim(mount, entry), SharedVolumeRows.ById(volume.Id), volume.Name, patient: false);
                if (!made && now is { State: VolumeState.Ready, IsExclusive: true } && now.Epoch == mount.Epoch)
                {
                    (made, now) = now.Mounts.Any(m => !Index.IsOwn(m)) ? await TakeOverAsync(now, mount, entry) : await ClaimFencedAsync(now, mount, entry);
                }

                return made ? new Claim(true, await KeepClaimAsync(now!, mount with { Epoch = now!.Epoch }, untold: null)) : new Claim(false, now);
            }
        }
        catch (CatalogAwayException) when (!volume.IsExclusive)
        {
            // Perhaps it was claimed, and only the answer was lost: the ledger tells what is true.
        }

        // Shared, and the database is away: nobody can be in our way but one who removes the volume, and that one's trash is kept until we were heard again.
        return volume.State == VolumeState.Ready ? new Claim(true, await KeepClaimAsync(volume, mount, entry)) : new Claim(false, volume);
    }

    /// <summary>Changes a volume's mounts while nobody else tells the catalog of them; afterwards tells what could not be told in between.</summary>
    async Task<T> HoldingAsync<T>(Volume volume, Func<Task<T>> change)
    {
        await _link.HoldAsync(volume.Id);
        try
        {
            return await change();
        }
        finally
        {
            if (_link.Release(volume.Id) && _link.Tell(volume.Id, volume.Name)) await TryTellAsync(volume);
        }
    }

    /// <summary>Tells the catalog of a volume's mounts. One that cannot be told of now is told of later; what was done stays done.</summary>
    async Task TryTellAsync(Volume volume)
    {
        try
        {
            await _join.TellAsync(volume.Id, volume.Name);
        }
        catch (CatalogAwayException e)
        {
            _link.Lost(e, Now);
        }
        catch (VolumeException e)
        {
            LogNotTold(volume.Name, e.Message);
        }
    }

    /// <summary>Claims what is free, once the hosts are shut out of its export that had it before.</summary>
    async Task<(bool Made, Volume? Now)> ClaimFencedAsync(Volume volume, Mount mount, Event entry)
    {
        await Fencing.FenceAsync(_database, volume, _host, _grace);
        return await DecideAsync(MountRows.Claim(mount, entry), SharedVolumeRows.ById(volume.Id), volume.Name, patient: false);
    }

    async Task<(bool Made, Volume? Now)> TakeOverAsync(Volume volume, Mount mount, Event entry)
    {
        // Whether they are lost for long enough is for the database to say.
        if (volume.Mounts.Any(m => !Index.IsOwn(m) && InfoOf(m.HostId).State == "live")) return (false, volume);
        await Fencing.FenceAsync(_database, volume, _host, _grace);
        var from = string.Join(", ", volume.Mounts.Where(m => !Index.IsOwn(m)).Select(m => InfoOf(m.HostId).Name).Distinct());
        var takeover = new Event
        {
            At = Now,
            Host = _host.Name,
            VolumeId = volume.Id,
            VolumeName = volume.Name,
            Kind = EventKind.Takeover,
            CallerId = mount.CallerId,
            Detail = $"from {from}, epoch {volume.Epoch + 1}",
        };
        var (made, now) = await DecideAsync(MountRows.TakeOver(mount, _grace, takeover, entry), SharedVolumeRows.ById(volume.Id), volume.Name, patient: false);
        if (made) LogTakenOver(volume.Name, from, volume.Epoch + 1);
        return (made, now);
    }

    /// <summary>Writes a claim into the ledger; one that cannot be written there is given back.</summary>
    /// <param name="untold">The event, when the database has not made the claim.</param>
    async Task<Volume> KeepClaimAsync(Volume volume, Mount mount, Event? untold)
    {
        try
        {
            await _ledger.KeepMountAsync(volume, mount, untold);
        }
        catch
        {
            if (untold is null) _link.Owe(volume.Id);
            throw;
        }

        if (untold is not null || !_link.IsOnline) _link.Owe(volume.Id);
        return Index.SetOwn(volume, [.. OwnOf(volume).Where(m => m.CallerId != mount.CallerId), mount]);
    }

    internal override Task ReleaseAsync(Volume volume, Mount mount, int left, Event entry) => LeaveAsync(
        volume, [(mount, left, entry)], left > 0 ? OwnOf(volume).Replace(mount, mount with { Count = left }) : OwnOf(volume).Remove(mount));

    internal override Task DropAsync(Volume volume, IReadOnlyList<(Mount Mount, Event Entry)> stale) => LeaveAsync(
        volume, [.. stale.Select(s => (s.Mount, 0, s.Entry))], OwnOf(volume).RemoveRange(stale.Select(s => s.Mount)));

    /// <summary>First the ledger, then the database.</summary>
    /// <returns>Whether the database was there to be told.</returns>
    Task<bool> LeaveAsync(Volume volume, IReadOnlyList<(Mount Mount, int Left, Event Entry)> left, ImmutableArray<Mount> own) => HoldingAsync(volume, async () =>
    {
        await _ledger.LeaveAsync(left);
        Index.SetOwn(volume, own);
        if (!_link.Tell(volume.Id, volume.Name)) return false;
        try
        {
            var change = Change.Of(
                MountRows.Touch(volume.Id), left.SelectMany(l => (FormattableString[])[MountRows.Leave(l.Mount, l.Left), EventRows.Append(l.Entry)]));
            await _join.ApplyAsync(change, SharedVolumeRows.ById(volume.Id), volume.Name);
            _ledger.ForgetTold([.. left.Select(l => l.Entry)]);
        }
        catch (CatalogAwayException e)
        {
            _link.Doubt(volume.Id, volume.Name);
            _link.Lost(e, Now);
        }
        catch (VolumeException e)
        {
            _link.Doubt(volume.Id, volume.Name);
            LogNotTold(volume.Name, e.Message);
        }

        return true;
    });

    internal override async Task SetProvisionedAsync(Volume provisioned, Event entry)
    {
        try
        {
            if (_link.IsOnline)
            {
                await DecideAsync(VolumeRows.SetProvisioned(provisioned, entry), SharedVolumeRows.ById(provisioned.Id), provisioned.Name, patient: false);
                return;
            }
        }
        catch (CatalogAwayException)
        {
            // Told with the mount that it is part of.
        }

        await _ledger.CopyAsync(provisioned, entry);
        Index.Learn(provisioned);
        if (_link.Tell(provisioned.Id, provisioned.Name)) await TryTellAsync(provisioned);
    }

    internal override async Task<Volume?> BeginRemovalAsync(Volume volume) =>
        (await DecideAsync(VolumeRows.BeginRemoval(volume, Now), SharedVolumeRows.ById(volume.Id), volume.Name)).Now is { IsLiving: true } now ? now : null;

    internal override Task CancelRemovalAsync(Volume volume) => DecideAsync(VolumeRows.CancelRemoval(volume), SharedVolumeRows.ById(volume.Id), volume.Name);

    internal override async Task EndRemovalAsync(Volume removed, Event entry)
    {
        var (made, now) = await DecideAsync(VolumeRows.SetRemoved(removed, entry), SharedVolumeRows.ById(removed.Id), removed.Name);
        if (!made && now?.State == VolumeState.Ready)
        {
            throw new VolumeException($"the removal of volume {removed.Name} was taken back on another host while its data went into the trash: remove it again");
        }
    }

    internal override async Task<List<Volume>> ReadTrashAsync(Guid? only, CancellationToken cancellation)
    {
        var trash = new List<Volume>();
        await _link.WaitAsync();
        await _database.ReadAsync(SharedVolumeRows.InTrash(only), row =>
        {
            if (SharedVolumeRows.Read(row, _membership.Learn).Volume is { } volume) trash.Add(volume);
        }, cancellation);
        return trash;
    }

    internal override async Task UntilHeardAsync(Volume trashed, CancellationToken cancellation)
    {
        // A live host hears with its next heartbeat, and its next one tells that it has heard.
        for (; ; await Task.Delay(TimeSpan.FromMilliseconds(200), cancellation))
        {
            var unheard = new List<(string Name, string State)>();
            await _database.ReadAsync(SharedVolumeRows.NotHeard(_host.Id, trashed.RemovedAt!.Value), row => unheard.Add((row.GetString(0), row.GetString(1))), cancellation);
            if (unheard.Count == 0) return;
            if (unheard.Find(host => host.State != "live") is { Name: { } lost })
            {
                throw new VolumeException($"volume {trashed.Name} cannot be restored under another name now, for host {lost} was not heard of since its removal and may still use the old one: restore it under its own name, start volman on that host or, if it does not come back, run volman host evict {lost}");
            }
        }
    }

    internal override async Task<Volume?> BeginRestoreAsync(Volume trashed, Volume restoring)
    {
        var (made, now) = await DecideAsync(TrashRows.BeginRestore(trashed, restoring), SharedVolumeRows.ById(trashed.Id), restoring.Name);
        return made || (now?.State, now?.Name, now?.RemovedAt) == (restoring.State, restoring.Name, restoring.RemovedAt) ? now : null;
    }

    internal override async Task EndRestoreAsync(Volume ready, Event entry)
    {
        var (_, now) = await DecideAsync(TrashRows.EndRestore(ready, entry), SharedVolumeRows.ById(ready.Id), ready.Name);
        if (now?.State != VolumeState.Ready) throw new VolumeException($"the restoration of volume {ready.Name} was taken back on another host while its data left the trash: see docker volume ls and volman trash ls");
        _ledger.Copy([now]);
    }

    internal override Task CancelRestoreAsync(Volume restoring, Volume trashed) => DecideAsync(TrashRows.CancelRestore(trashed), SharedVolumeRows.ById(trashed.Id), trashed.Name);

    internal override async Task<bool> MakeDueAsync(Volume trashed)
    {
        var (made, now) = await DecideAsync(TrashRows.MakeDue(trashed), SharedVolumeRows.ById(trashed.Id), trashed.Name);
        return made || (now is { State: VolumeState.Trashed } && now.PurgeAfter == now.RemovedAt);
    }

    internal override async Task AsJanitorAsync(Func<CancellationToken, Task> work, CancellationToken cancellation)
    {
        if (_link.IsOnline && !await _janitor.RunAsync(work, cancellation)) LogNotJanitor();
    }

    internal override async Task<List<Volume>> ReadDueAsync(string rootId, int limit, CancellationToken cancellation)
    {
        var due = new List<Volume>();
        await _database.ReadAsync(VolumeRows.Due(Now, rootId, _host.Id, limit), row => due.Add(VolumeRows.Read(row)), cancellation);
        return due;
    }

    internal override async Task<Volume?> BeginPurgeAsync(Volume due) =>
        (await DecideAsync(TrashRows.BeginPurge(due), SharedVolumeRows.ById(due.Id), due.Name)).Now is { State: VolumeState.Purging } purging ? purging : null;

    internal override Task SetGoneAsync(Volume volume, Event entry) => DecideAsync(VolumeRows.SetGone(volume, Now, entry), SharedVolumeRows.ById(volume.Id), volume.Name);

    internal override Task ForgetAsync(Volume volume) => _database.ApplyAsync(VolumeRows.Forget(volume));

    internal override Task<int> PruneAsync(FormattableString oldest) => _database.ApplyAsync(Change.Quiet(oldest));

    internal override async Task<List<Volume>> ReadUnmeasuredAsync(DateTime before, string rootId, Volume? after, int limit, CancellationToken cancellation)
    {
        var due = new List<Volume>();
        if (_link.IsOnline) await _database.ReadAsync(UsageRows.Due(before, Now, rootId, after, limit), row => due.Add(VolumeRows.Read(row)), cancellation);
        return due;
    }

    internal override async Task<bool> ClaimSamplerAsync(TimeSpan time) => await _database.ApplyAsync(UsageRows.Claim(_host.Id, time)) > 0;

    internal override Task KeepUsageAsync(Volume volume, UsageSample sample, DateTime before) => _database.ApplyAsync(UsageRows.Keep(sample, before));

    /// <summary>Makes a change that is of no volume, as the member that this host is.</summary>
    /// <returns>Whether it was made.</returns>
    /// <exception cref="CatalogAwayException">The database does not answer, or does not take this host for a member.</exception>
    internal async Task<bool> ApplyAsync(Change change) => await _database.ApplyAsync(_membership.ByThisHost(change)) > 0;

    /// <summary>Asks what is of no volume.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    internal Task ReadAsync(FormattableString query, Action<System.Data.Common.DbDataReader> row, CancellationToken cancellation) => _database.ReadAsync(query, row, cancellation);

    internal override void Record(Event entry) => _ = RecordAsync(entry);

    async Task RecordAsync(Event entry)
    {
        try
        {
            if (_link.IsOnline)
            {
                await _database.ApplyAsync(Change.Quiet(EventRows.Append(entry)));
                return;
            }
        }
        catch (CatalogAwayException e)
        {
            _link.Lost(e, Now);
        }
        catch (VolumeException e)
        {
            LogNotTold(entry.VolumeName, e.Message);
            return;
        }

        _ledger.Record(entry);
    }

    internal override void RaiseGeneration(long generation, Event entry) => _ledger.RaiseGeneration(_host, generation, entry);

    internal override Task FlushAsync() => _ledger.FlushAsync();

    /// <summary>Lets the database decide a change and learns what has become of the volume, in one round trip. Asked again when the link broke and came back.</summary>
    /// <param name="patient">Whether to wait for the link.</param>
    /// <exception cref="CatalogAwayException">The database is away; whether the change was made is known when it is back.</exception>
    async Task<(bool Made, Volume? Now)> DecideAsync(Change change, FormattableString readBack, string name, bool patient = true)
    {
        for (var attempt = 1; ; attempt++)
        {
            if (patient) await _link.WaitAsync();
            try
            {
                return await _join.ApplyAsync(change, readBack, name);
            }
            catch (CatalogAwayException e)
            {
                _link.Lost(e, Now);
                if (!patient || attempt == 3) throw;
            }
        }
    }

    ImmutableArray<Mount> OwnOf(Volume volume) => Index.TryFind(volume.Name, out var known) && known.Id == volume.Id ? [.. known.Mounts.Where(Index.IsOwn)] : [];

    public override async ValueTask DisposeAsync()
    {
        await _join.DisposeAsync();
        _ledger.Dispose();
        await _database.DisposeAsync();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Volume {Volume}: taken over from {Hosts}, epoch {Epoch}")]
    partial void LogTakenOver(string volume, string hosts, long epoch);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Another host looks after the trash now, or the catalog is away: what is left is deleted later")]
    partial void LogNotJanitor();

    [LoggerMessage(Level = LogLevel.Error, Message = "The cluster's catalog cannot be told of {Volume} now: {Reason}")]
    partial void LogNotTold(string? volume, string reason);
}
