using System.Data.Common;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>
/// Serves a directory of this host to the cluster's other hosts by the kernel's NFS server, and keeps whom it lets in in step with the catalog: hosts that are live are let
/// in, and those that another host needs shut out (what they held alone was taken over, or they were evicted) are shut out before anybody relies on it.
/// </summary>
internal sealed partial class ExportPublisher(Settings settings, Guid hostId, ClusterCatalog catalog, HostExport export, ILogger log)
{
    readonly KernelExports _kernel = new(export.Directory, settings.ExportSquash, settings.ExportPlaces);
    readonly SyscallLane _lane = new("exportfs", maxThreads: 1);
    readonly HashSet<(Guid, long?)> _limited = [];
    long _revision = -1;
    bool _isPublished;
    string _trouble = "";

    readonly record struct Peer(Guid Id, string Name, bool IsLive, string? Address, KernelExports.Client? Client, bool IsAsked, bool IsWithdrawn, bool IsEvicted)
    {
        /// <summary>Whether it was asked to be shut out, and came back before anything was taken from it.</summary>
        internal bool IsSpared => IsAsked && !IsWithdrawn && !IsEvicted && IsLive;

        internal bool IsToGo => IsAsked && !IsWithdrawn && !IsSpared;

        internal bool IsIn => Client is not null && !IsWithdrawn && !IsToGo;
    }

    /// <summary>Why the export is not served as it should be, as the last pass found; empty when it is.</summary>
    internal string Trouble => Volatile.Read(ref _trouble);

    internal async Task PassAsync(CancellationToken cancellation)
    {
        if (catalog.StaleSince is not null) return;
        try
        {
            while (!cancellation.IsCancellationRequested && await StepAsync(cancellation))
            {
            }
        }
        catch (Exception e) when (IsTrouble(e))
        {
            Tell(e.Message);
        }
    }

    static bool IsTrouble(Exception e) => e is VolumeException or IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception;

    /// <returns>Whether something was changed in the catalog, so that it has to be looked at once more.</returns>
    async Task<bool> StepAsync(CancellationToken cancellation)
    {
        // The row may be an earlier daemon's, which served another directory.
        if (!_isPublished || await ReadAsync(cancellation) is not { } peers) return await PublishAsync(cancellation);
        var (changed, troubles) = (false, new List<string>());
        // One host's trouble is not the others': all are seen to, and then it is told.
        async Task TryAsync(Func<Task<bool>> see)
        {
            try
            {
                changed |= await see();
            }
            catch (Exception e) when (IsTrouble(e))
            {
                troubles.Add(e.Message);
            }
        }

        await TryAsync(() => SetAsync(peers, cancellation));
        foreach (var peer in peers.Where(p => p.IsToGo)) await TryAsync(() => ShutOutAsync(peer, cancellation));
        foreach (var peer in peers.Where(p => p.IsSpared)) await TryAsync(() => catalog.ApplyAsync(ExportRows.Spare(settings.NfsServer, settings.NfsExport, peer.Id)));
        foreach (var peer in peers.Where(p => p.IsLive && (p.IsWithdrawn || !p.IsAsked))) await TryAsync(() => LetInAsync(peer));
        await TryAsync(() => RunAsync(CheckServer, cancellation));
        Tell(string.Join("; ", troubles.Distinct()));
        return changed;
    }

    /// <summary>Of two hosts with one address the live one is meant: the other one's machine was set up anew.</summary>
    async Task<bool> SetAsync(List<Peer> peers, CancellationToken cancellation)
    {
        // One that was asked to be shut out before it had told an address has none yet.
        var doors = peers.Where(p => p is { IsIn: true, Client.Address.Length: > 0 }).GroupBy(p => p.Client!.Value.Address, StringComparer.Ordinal).Select(g => g.OrderByDescending(p => p.IsLive).ToArray()).ToList();
        await RunAsync(() => _kernel.Set([.. doors.Select(same => same[0].Client!.Value)]), cancellation);
        return doors.Find(same => same.Length > 1 && same[1].IsLive) is not { } two
            ? false
            : throw new VolumeException($"hosts {two[0].Name} and {two[1].Name} have told one address, {two[0].Client!.Value.Address}: give each its own with --address");
    }

    async Task<bool> LetInAsync(Peer peer)
    {
        if (peer.Address is not { } address) throw new VolumeException($"host {peer.Name} has told no address: start volman there with --address");
        if (address.Length == 0) throw new VolumeException($"what the catalog has as the address of host {peer.Name} is not the IP address of one other host: start volman there with --address");
        if (!peer.IsIn) return await TryAdmitAsync(peer);
        return peer.Client!.Value.Address != address && await catalog.ApplyAsync(ExportRows.Move(settings.NfsServer, settings.NfsExport, peer.Id, address));
    }

    void CheckServer()
    {
        if (!_kernel.IsServed) throw new VolumeException("the kernel's NFS server does not run: start it (Debian: apt install nfs-kernel-server; systemctl start nfs-server)");
        CheckNobodyElse();
    }

    void CheckNobodyElse()
    {
        if (_kernel.Others() is not { Count: > 0 } others) return;
        throw new VolumeException($"{export.Directory} is exported to {string.Join(", ", others)} by others than volman, so no host can be shut out: remove that from /etc/exports, and run exportfs -r");
    }

    /// <summary>Gives the volumes that others have made here their limits, which only the host can that has the disk. Soon, for a directory that holds data is left as it is.
    /// A pass of its own: a slow disk keeps nobody from being shut out.</summary>
    internal async Task LimitAsync(CancellationToken cancellation)
    {
        if (catalog.StaleSince is not null || export.Refusal is not null) return;
        var (found, revision) = (new List<Volume>(), _revision);
        await catalog.ReadAsync(SharedVolumeRows.ChangedSince(_revision), row =>
        {
            (revision, var volume) = SharedVolumeRows.Read(row, (_, _) => { });
            if (volume is { State: VolumeState.Ready, Backend: "nfs" } && volume.Server == settings.NfsServer && volume.Export == settings.NfsExport) found.Add(volume);
        }, cancellation);
        foreach (var volume in found.Where(v => !_limited.Contains((v.Id, v.SizeBytes))))
        {
            await export.LimitAsync(volume, cancellation);
            _limited.Add((volume.Id, volume.SizeBytes));
        }

        _revision = revision;
    }

    /// <returns>The other hosts; null when this host is not the one that serves the export.</returns>
    async Task<List<Peer>?> ReadAsync(CancellationToken cancellation)
    {
        List<Peer>? peers = null;
        await catalog.ReadAsync(ExportRows.Clients(settings.NfsServer, settings.NfsExport, hostId), row =>
        {
            if (row.GetGuid(0) != hostId) return;
            peers ??= [];
            if (row.IsDBNull(1)) return;
            peers.Add(new Peer(
                row.GetGuid(1), row.GetString(2), row.GetBoolean(3), row.IsDBNull(4) ? null : AddressIn(row, 4),
                row.IsDBNull(5) ? null : new KernelExports.Client(AddressIn(row, 5), row.GetGuid(6)), !row.IsDBNull(7), !row.IsDBNull(8), !row.IsDBNull(9) && row.GetBoolean(9)));
        }, cancellation);
        return peers;
    }

    /// <returns>Empty when it is not the address of one other host: what is in a row may be anybody's.</returns>
    static string AddressIn(DbDataReader row, int column) =>
        row.GetString(column) is var address && HostAddress.IsOfOneHost(address) && (row.IsDBNull(10) || row.GetString(10) != address) ? address : "";

    async Task<bool> PublishAsync(CancellationToken cancellation)
    {
        var mine = new PublishedExport { Server = settings.NfsServer, Path = settings.NfsExport, HostId = hostId, Directory = export.Directory, RootId = export.RootId };
        if (!export.IsThere) throw new VolumeException($"what this host serves is not at {export.Directory}: mount its disk or, if the directory is right as it is, remove {export.Memory} and start volman again");
        export.Refusal = await catalog.ApplyAsync(ExportRows.Publish(mine)) ? null : await WhyNotAsync(cancellation);
        if (export.Refusal is { } refusal) throw new VolumeException(refusal);
        await RunAsync(() => KernelExports.Withdraw(settings.ExportPlaces, except: export.Directory), cancellation);
        LogPublished(export.Directory, Source);
        return _isPublished = true;
    }

    async Task<string> WhyNotAsync(CancellationToken cancellation)
    {
        var isOthers = false;
        var why = $"{Source} was served by another host at this moment: it is tried again";
        await catalog.ReadAsync(ExportRows.Server(settings.NfsServer, settings.NfsExport), row =>
        {
            isOthers = row.GetGuid(0) != hostId;
            if (isOthers) why = $"{Source} is served by host {row.GetString(1)}: stop volman there first, or give this host an --nfs-export of its own";
            if (row.GetString(2) is var root && root != export.RootId)
            {
                why = $"{Source} was served from another directory than {export.Directory}: mount the disk that belongs there or, if this one has the volumes, write {root} into its file {DataRootId.FileName}, remove {export.Memory} and start volman again";
            }
        }, cancellation);
        // Whoever has the role now decides who may use it.
        if (isOthers) await RunAsync(() => _kernel.Set([]), cancellation);
        return why;
    }

    async Task<bool> ShutOutAsync(Peer peer, CancellationToken cancellation)
    {
        await RunAsync(
            () =>
            {
                CheckNobodyElse();
                if (peer.Client is { Address.Length: > 0 } client) _kernel.ShutOut(client.Address);
            }, cancellation);
        var done = await catalog.ApplyAsync(ExportRows.SetWithdrawn(settings.NfsServer, settings.NfsExport, peer.Id));
        if (done) LogShutOut(peer.Name, Source);
        return done;
    }

    async Task<bool> TryAdmitAsync(Peer peer)
    {
        var admitted = await catalog.ApplyAsync(ExportRows.Admit(settings.NfsServer, settings.NfsExport, peer.Id, Guid.NewGuid()));
        if (admitted) LogAdmitted(peer.Name, peer.Address!, Source);
        return admitted;
    }

    string Source => NfsAddress.Source(settings.NfsServer, settings.NfsExport);

    /// <returns>False: nothing in the catalog has changed by it.</returns>
    Task<bool> RunAsync(Action call, CancellationToken cancellation) => _lane.RunAsync(
        () =>
        {
            call();
            return false;
        }, cancellation);

    /// <summary>Once for each trouble, however long it lasts.</summary>
    void Tell(string trouble)
    {
        if (trouble.Length > 0 && trouble != _trouble) LogTrouble(Source, trouble);
        _trouble = trouble;
    }

    /// <summary>Takes back what an earlier daemon of this host published, for this one is not told to.</summary>
    internal static async Task WithdrawLeftAsync(Settings settings, Guid hostId, ClusterCatalog catalog)
    {
        if (!KernelExports.AreLeft(settings.ExportPlaces) || catalog.StaleSince is not null) return;
        KernelExports.Withdraw(settings.ExportPlaces);
        await catalog.ApplyAsync(ExportRows.Unpublish(hostId));
        KernelExports.Forget(settings.ExportPlaces);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "This host serves {Directory} to the cluster as {Source}")]
    partial void LogPublished(string directory, string source);

    [LoggerMessage(Level = LogLevel.Information, Message = "Host {Name} at {Address} may use {Source}")]
    partial void LogAdmitted(string name, string address, string source);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Host {Name} is shut out of {Source}: what it has open there is lost to it")]
    partial void LogShutOut(string name, string source);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Source} cannot be served as it should be: {Reason}")]
    partial void LogTrouble(string source, string reason);
}
