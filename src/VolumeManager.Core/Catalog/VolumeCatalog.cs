using System.Collections.Concurrent;
using System.Data.Common;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>
/// What exists and who uses it: the one place where that is asked, decided and written down. One host has it in a file of its own (<see cref="LocalCatalog"/>); the
/// hosts of a cluster share a database, and each keeps a ledger beside it (<see cref="ClusterCatalog"/>).
/// </summary>
/// <remarks>Whoever changes a volume holds its lock (<see cref="VolumeLocks"/>).</remarks>
internal abstract class VolumeCatalog(Guid hostId, Timings timings) : IAsyncDisposable
{
    private protected Timings Timings => timings;

    /// <summary>What is known without asking anybody.</summary>
    internal VolumeIndex Index { get; } = new(hostId);

    /// <summary><c>local</c> or <c>global</c>, as the engine is told.</summary>
    internal abstract string Scope { get; }

    /// <summary>What it is called in messages: a file, or a database and its server.</summary>
    internal abstract string Name { get; }

    /// <summary>Faults when this host must not take part in the cluster.</summary>
    internal virtual Task Refused { get; } = new TaskCompletionSource().Task;

    /// <summary>UTC, by the catalog's clock.</summary>
    internal abstract DateTime Now { get; }

    /// <summary>Since when the shared catalog cannot be asked; null when it can.</summary>
    internal virtual DateTime? StaleSince => null;

    /// <summary>Until when this host's word holds that it is alive, by the catalog's clock; null for the one host of its own catalog.</summary>
    internal virtual DateTime? LeaseExpiresAt => null;

    /// <summary>The last migration of the schema that this program works with.</summary>
    internal abstract string Schema { get; }

    internal abstract HostInfo InfoOf(Guid host);

    /// <summary>The volume as it is now; null when there is none.</summary>
    /// <param name="mustBeCurrent">Not as it was last known, where the shared catalog is away.</param>
    /// <exception cref="CatalogAwayException">It is not known whether there is one, or what it is now.</exception>
    internal abstract ValueTask<Volume?> FindAsync(string name, CancellationToken cancellation, bool mustBeCurrent = false);

    /// <summary>The living volume that has the name and the directory of one that was removed.</summary>
    internal virtual Task<Volume?> FindSuccessorAsync(Volume removed) => Task.FromResult<Volume?>(null);

    /// <summary>Makes this host's mounts of a removed volume mounts of its successor, whose directory they are of.</summary>
    internal virtual Task FollowAsync(Volume removed, Volume successor, Event entry) => throw new InvalidOperationException("the catalog of one host has no successors of volumes in use");

    /// <summary>All volumes as they are now, or, while the shared catalog is away, as they were last known.</summary>
    internal abstract ValueTask<IEnumerable<Volume>> ListAsync(CancellationToken cancellation);

    /// <summary>Adds a volume.</summary>
    /// <returns>False when its name or its directory is taken.</returns>
    internal abstract Task<bool> TryCreateAsync(Volume volume, Event entry);

    /// <summary>Claims a volume for a caller of this host.</summary>
    /// <param name="volume">As the caller knows it; the catalog decides by what it has become.</param>
    internal abstract Task<Claim> ClaimAsync(Volume volume, Mount mount, Event entry);

    /// <summary>Leaves that many of a caller's mounts. Always succeeds: whoever leaves has left already, and what cannot be written now is written later.</summary>
    internal abstract Task ReleaseAsync(Volume volume, Mount mount, int left, Event entry);

    /// <summary>Drops mounts of this host that nothing holds any more.</summary>
    internal abstract Task DropAsync(Volume volume, IReadOnlyList<(Mount Mount, Event Entry)> stale);

    /// <summary>Makes a change of one living volume.</summary>
    /// <param name="changed">As the change makes it.</param>
    /// <param name="made">Another one that it makes.</param>
    /// <returns>Whether it was made, and the volume as it is now; null when it is not known here any more.</returns>
    internal abstract Task<(bool Made, Volume? Now)> ChangeAsync(Change change, Volume changed, Volume? made = null);

    internal abstract Task SetProvisionedAsync(Volume provisioned, Event entry);

    /// <summary>Closes a volume to new mounts.</summary>
    /// <param name="isMeant">Null, or what is so of the volume as it was read: the decision is that it is so still, at the moment at which the volume is closed.</param>
    /// <returns>Whether it was done, and the volume as it is now, in state <c>removing</c>, or null for none. It was not when some host holds a mount of it, it is gone, or not
    /// what is meant any more.</returns>
    internal abstract Task<(bool Made, Volume? Now)> BeginRemovalAsync(Volume volume, Func<Volume, bool>? isMeant);

    internal abstract Task CancelRemovalAsync(Volume volume);

    /// <summary>Ends a removal: the volume is trashed or gone.</summary>
    /// <returns>False when another host has ended it, and whoever may have done more to the volume since.</returns>
    internal abstract Task<bool> EndRemovalAsync(Volume removed, Event entry);

    /// <summary>Whether a removal or restoration that was begun is this host's to finish. One that another host has just begun is that host's.</summary>
    internal bool IsAbandoned(Volume volume) => !_copied.ContainsKey(volume.Id) && (Scope == "local" || volume.RemovedAt is null || volume.RemovedAt < Now - timings.Abandoned);

    // The volumes that this daemon copies at this moment.
    readonly ConcurrentDictionary<Guid, bool> _copied = new();

    /// <summary>Until what comes back is disposed of, a volume that is held is not taken for one that a killed daemon has left.</summary>
    internal IDisposable WhileCopied(Volume volume)
    {
        if (!_copied.TryAdd(volume.Id, true)) throw new VolumeException($"volume {volume.Name} is being copied already: wait until that is done");
        return new Copied(_copied, volume.Id);
    }

    sealed class Copied(ConcurrentDictionary<Guid, bool> all, Guid id) : IDisposable
    {
        public void Dispose() => all.TryRemove(id, out _);
    }

    /// <summary>The volumes whose data is in the trash.</summary>
    /// <param name="only">The id of the only one that is asked for; null for all.</param>
    /// <exception cref="CatalogAwayException">It is not known now.</exception>
    internal abstract Task<List<Volume>> ReadTrashAsync(Guid? only, CancellationToken cancellation);

    /// <summary>Waits until every other host has heard of what was changed until a time, such as that a volume was closed to new mounts.</summary>
    /// <param name="since">UTC, by the catalog's clock.</param>
    /// <param name="whyNot">What to say of a host that is lost and has not.</param>
    /// <exception cref="VolumeException">One is lost that has not.</exception>
    internal virtual Task UntilHeardAsync(DateTime since, Func<string, string> whyNot, CancellationToken cancellation) => Task.CompletedTask;

    /// <summary>Gives a trashed volume a name and a place again.</summary>
    /// <param name="trashed">As it was read.</param>
    /// <param name="restoring">As it shall be, in state <c>restoring</c>.</param>
    /// <returns>The volume so; null when it was changed since, or name or place are another volume's.</returns>
    internal abstract Task<Volume?> BeginRestoreAsync(Volume trashed, Volume restoring);

    /// <summary>A host that knows of no restorations, and would be cut off by one, with the version that it runs; null when there is none.</summary>
    internal virtual Task<(string Name, string Version)?> FindOldHostAsync(CancellationToken cancellation) => Task.FromResult<(string, string)?>(null);

    /// <summary>The volume's data is in its place.</summary>
    internal abstract Task EndRestoreAsync(Volume ready, Event entry);

    /// <summary>The volume's data stays in the trash.</summary>
    internal abstract Task CancelRestoreAsync(Volume restoring, Volume trashed);

    /// <summary>Lets a trashed volume's data be deleted from now on.</summary>
    /// <returns>False when the volume was changed since it was read.</returns>
    internal abstract Task<bool> MakeDueAsync(Volume trashed, Event entry);

    /// <summary>Does what one host does for all: for as long as it is this host that does it. Nothing is done when it is another one.</summary>
    /// <param name="work">Whether it could do all; if not, another host may be able to.</param>
    internal virtual Task AsJanitorAsync(Func<CancellationToken, Task<bool>> work, CancellationToken cancellation) => work(cancellation);

    /// <summary>The removed volumes of a data root whose time has come, those first that wait longest.</summary>
    /// <param name="after">The last one of the batch before.</param>
    internal abstract Task<List<Volume>> ReadDueAsync(string rootId, Volume? after, int limit, CancellationToken cancellation);

    /// <summary>Closes a volume in the trash to those who would restore it, for its data is about to be deleted.</summary>
    /// <returns>The volume in state <c>purging</c>; null when it was changed since it was read.</returns>
    internal abstract Task<Volume?> BeginPurgeAsync(Volume due);

    /// <summary>The trashed data is deleted.</summary>
    internal abstract Task SetGoneAsync(Volume volume, Event entry);

    internal abstract Task ForgetAsync(Volume volume);

    /// <summary>Deletes a batch of the oldest events or samples.</summary>
    /// <returns>How many. None when another host looks after them.</returns>
    internal abstract Task<int> PruneAsync(FormattableString oldest);

    /// <summary>The volumes on NFS and of a data root that are to be measured, those first that wait longest. Empty while the shared catalog is away.</summary>
    /// <param name="before">Those that were measured later have time.</param>
    /// <param name="after">The last one of the batch before.</param>
    internal abstract Task<List<Volume>> ReadUnmeasuredAsync(DateTime before, string rootId, Volume? after, int limit, CancellationToken cancellation);

    /// <summary>Measures for all: for as long as it is this host that does it. Nothing is done when it is another one.</summary>
    /// <param name="work">Whether it could do all; if not, another host may be able to.</param>
    internal virtual Task AsSamplerAsync(Func<CancellationToken, Task<bool>> work, CancellationToken cancellation) => work(cancellation);

    /// <summary>Writes down what a volume was found to hold, unless that was done since <paramref name="before"/>.</summary>
    internal abstract Task KeepUsageAsync(Volume volume, UsageSample sample, DateTime before);

    /// <summary>The hosts by name, the evicted ones last.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    internal abstract Task<IReadOnlyList<HostListing>> ListHostsAsync(CancellationToken cancellation);

    /// <summary>Frees all that a host holds, as <see cref="Eviction"/> says.</summary>
    internal virtual Task<Eviction.Evicted> EvictAsync(string name, string by, bool force, bool dryRun) =>
        throw new VolumeException("this host has a catalog of its own and no other hosts: there is none to evict");

    /// <summary>Asks what is of no volume, and keeps no change waiting for it.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    internal abstract Task ReadAsync(FormattableString query, Action<DbDataReader> row, CancellationToken cancellation);

    /// <summary>Makes a change that is of no volume.</summary>
    /// <returns>Whether it was made.</returns>
    /// <exception cref="CatalogAwayException">The database does not answer, or does not take this host for a member.</exception>
    internal abstract Task<bool> ApplyAsync(Change change);

    /// <summary>Adds an event that nobody waits for. It is lost if the daemon dies within the next moment.</summary>
    internal abstract void Record(Event entry);

    /// <summary>Another engine has come.</summary>
    internal abstract void RaiseGeneration(long generation, Event entry);

    /// <summary>Opens a connection for reports: it can only read, and is none of those that requests wait for. The caller disposes of it.</summary>
    /// <exception cref="CatalogAwayException">The database does not answer.</exception>
    internal abstract Task<DbConnection> OpenForReportsAsync(CancellationToken cancellation);

    /// <summary>How many events the shared catalog has perhaps not heard yet.</summary>
    internal virtual Task<long> CountUntoldAsync() => Task.FromResult(0L);

    /// <summary>Makes this host's mounts of a volume in the catalog what this host knows them to be.</summary>
    internal abstract Task TellMountsAsync(Guid id, string name);

    /// <summary>Takes a volume as the catalog has it, which somebody has changed there by hand.</summary>
    internal abstract Task RereadAsync(string name, CancellationToken cancellation);

    /// <summary>Writes down what could not be written when it came.</summary>
    internal abstract Task FlushAsync();

    public abstract ValueTask DisposeAsync();
}

/// <summary>What became of a claim.</summary>
/// <param name="Volume">The volume as it is now, this mount included if it was made; null when it is gone.</param>
internal readonly record struct Claim(bool Made, Volume? Volume);
