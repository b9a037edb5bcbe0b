using System.Collections.Immutable;
using System.Data.Common;
using Microsoft.Extensions.Logging;
using VolumeManager.Hosts;
using VolumeManager.Ledger;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>
/// The catalog that many hosts share. The database decides; what this host mounts is written into its own ledger as well, and while the database is away the
/// ledger answers. What happens meanwhile is told when it is back (<see cref="ClusterJoin"/>).
/// </summary>
internal sealed partial class ClusterCatalog : VolumeCatalog
{
    readonly ThisHost _host;
    readonly TimeSpan _grace;
    readonly SoleClaim _janitor;
    readonly SoleClaim _sampler;
    readonly PostgresDatabase _database;
    readonly ClusterLink _link;
    readonly Membership _membership;
    readonly ILogger _log;
    HostLedger _ledger = null!;
    ClusterJoin _join = null!;

    ClusterCatalog(Settings settings, ThisHost host, PostgresDatabase database, ClusterClock clock, ILogger log)
        : base(host.Id, settings.Timings)
    {
        _host = host;
        _grace = settings.TakeoverGrace;
        _janitor = new SoleClaim(database, host.Id, "janitor", settings.Timings.JanitorClaim);
        _sampler = new SoleClaim(database, host.Id, "sampler", settings.Timings.SamplerClaim);
        _database = database;
        _log = log;
        _link = new ClusterLink(clock.Now, database.IsMultiHost, settings.Timings);
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

        var database = new PostgresDatabase(settings.Database, host.Name, settings.Timings);
        var clock = await ClusterClock.OpenAsync(state, host.BootId, database);
        var catalog = new ClusterCatalog(settings, host, database, clock, logs.CreateLogger<ClusterCatalog>());
        catalog._ledger = await HostLedger.OpenAsync(state.LedgerFile, host, clock.Now, catalog.Index, settings.Timings, logs.CreateLogger<HostLedger>());
        catalog._join = new ClusterJoin(
            host, settings.Lease, settings.Timings, catalog._database, catalog._ledger, catalog.Index, catalog._link, catalog._membership, logs.CreateLogger<ClusterJoin>());
        return catalog;
    }

    /// <summary>Joins the cluster if its database answers, and from then on keeps this host's lease and what it knows up to date.</summary>
    /// <param name="attention">Told when this host has lost a volume that it has mounted.</param>
    internal Task JoinAsync(Action attention, CancellationToken cancellation) => _join.StartAsync(attention, cancellation);

    internal override Task Refused => _join.Refused;
    internal override string Scope => "global";
    internal override string Name => _database.Name;
    internal override string Schema => SchemaVersion.Known(PostgresSchema.MigrationsAssembly)[^1];
    internal override DateTime? LeaseExpiresAt => _membership.LeaseExpiresAt;
    internal override DateTime Now => _membership.Now;
    internal override DateTime? StaleSince => _link.StaleSince;

    /// <summary>Why the database could not be asked, when it last could not.</summary>
    internal string AwayReason => _link.Reason;

    internal override HostInfo InfoOf(Guid host) => _membership.InfoOf(host);

    internal override async ValueTask<Volume?> FindAsync(string name, CancellationToken cancellation, bool mustBeCurrent = false)
    {
        for (var attempt = 1; ; attempt++)
        {
            var isKnown = Index.TryFind(name, out var known);
            if (!_link.IsOnline)
            {
                if (isKnown && !mustBeCurrent) return known;
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
                if (isKnown && !mustBeCurrent) return known;
                throw;
            }
            catch (VolumeException) when (isKnown && !mustBeCurrent)
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

        return living is not null && living.Id != removed.Id && living.IsAt(removed)
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

    internal override Task<(bool Made, Volume? Now)> ChangeAsync(Change change, Volume changed, Volume? made = null) => DecideAsync(change, SharedVolumeRows.ById(changed.Id), changed.Name);

    internal override Task<IReadOnlyList<HostListing>> ListHostsAsync(CancellationToken cancellation) => HostListing.ReadAsync(_database, cancellation);

    internal override Task<Eviction.Evicted> EvictAsync(string name, string by, bool force, bool dryRun) => Eviction.EvictAsync(_database, name, by, force, dryRun);

    /// <summary>As the member that this host is.</summary>
    internal override async Task<bool> ApplyAsync(Change change) => await _database.ApplyAsync(_membership.ByThisHost(change)) > 0;

    internal override Task ReadAsync(FormattableString query, Action<DbDataReader> row, CancellationToken cancellation) => _database.ReadAsync(query, row, cancellation);

    internal override async Task<DbConnection> OpenForReportsAsync(CancellationToken cancellation) => await _database.OpenForReportsAsync(cancellation);

    /// <summary>Mends the database itself, in no transaction and however long it takes.</summary>
    /// <exception cref="VolumeException">The database refused.</exception>
    internal Task MendAsync(string statement, CancellationToken cancellation) => _database.RunAsync(
        async connection =>
        {
            await using var command = new Npgsql.NpgsqlCommand(statement, connection) { CommandTimeout = 600 };
            return await command.ExecuteNonQueryAsync(cancellation);
        }, cancellation);

    internal override Task TellMountsAsync(Guid id, string name) => _join.TellAsync(id, name);

    // Whoever asks for a volume takes in what the database says of it.
    internal override async Task RereadAsync(string name, CancellationToken cancellation) => await FindAsync(name, cancellation);

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

    internal override Task<long> CountUntoldAsync() => _ledger.CountUntoldAsync();

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

    [LoggerMessage(Level = LogLevel.Information, Message = "Another host measures usage now, or the catalog is away: what is left is measured later")]
    partial void LogNotSampler();

    [LoggerMessage(Level = LogLevel.Error, Message = "The cluster's catalog cannot be told of {Volume} now: {Reason}")]
    partial void LogNotTold(string? volume, string reason);
}
