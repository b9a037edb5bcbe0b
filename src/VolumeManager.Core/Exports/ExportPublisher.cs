using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>
/// Serves a directory of this host to the cluster's other hosts by the kernel's NFS server, and keeps whom it lets in in step with the catalog: hosts that are live are let
/// in, and those that another host needs shut out (what they held alone was taken over, or they were evicted) are shut out before anybody relies on it.
/// </summary>
internal sealed partial class ExportPublisher(Settings settings, Guid hostId, ClusterCatalog catalog, HostExport export, ILogger log)
{
    /// <summary>How long a takeover waits at most for us to look; one small question each time.</summary>
    internal static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    readonly KernelExports _kernel = new(export.Directory, settings.ExportSquash, settings.ExportPlaces);
    readonly SyscallLane _lane = new("exportfs", maxThreads: 1);
    readonly HashSet<Guid> _limited = [];
    long _revision = -1;
    bool _isPublished;
    string _trouble = "";

    readonly record struct Peer(Guid Id, string Name, bool IsLive, string? Address, KernelExports.Client? Client, bool IsAsked, bool IsWithdrawn);

    internal async Task PassAsync(CancellationToken cancellation)
    {
        if (catalog.StaleSince is not null) return;
        try
        {
            while (await StepAsync(cancellation) && !cancellation.IsCancellationRequested)
            {
            }

            Tell("");
        }
        catch (Exception e) when (e is VolumeException or IOException or UnauthorizedAccessException or System.ComponentModel.Win32Exception)
        {
            Tell(e.Message);
        }
    }

    /// <returns>Whether something was changed in the catalog, so that it has to be looked at once more.</returns>
    async Task<bool> StepAsync(CancellationToken cancellation)
    {
        // The row may be an earlier daemon's, which served another directory.
        if (!_isPublished || await ReadAsync(cancellation) is not { } peers) return await PublishAsync(cancellation);

        await RunAsync(() => _kernel.Set([.. peers.Where(p => p is { Client: not null, IsAsked: false, IsWithdrawn: false }).Select(p => p.Client!.Value)]), cancellation);
        foreach (var peer in peers.Where(p => p is { IsAsked: true, IsWithdrawn: false })) await ShutOutAsync(peer, cancellation);
        var changed = false;
        foreach (var peer in peers.Where(p => p is { IsLive: true, Address: not null }))
        {
            if (peer.Client is null || peer.IsWithdrawn) changed |= await TryAdmitAsync(peer);
            else if (peer.Client.Value.Address != peer.Address) changed |= await catalog.ApplyAsync(ExportRows.Move(settings.NfsServer, settings.NfsExport, peer.Id, peer.Address!));
        }

        if (peers.Find(p => p is { IsLive: true, Address: null }) is { Name: { } name }) throw new VolumeException($"host {name} has told no address: start volman there with --address");
        await LimitNewAsync(cancellation);
        var served = await RunAsync(() => _kernel.IsServed, cancellation);
        return served ? changed : throw new VolumeException("the kernel's NFS server does not run: start it (Debian: apt install nfs-kernel-server; systemctl start nfs-server)");
    }

    /// <summary>Gives the volumes that others have made here their limits, which only the host can that has the disk. Soon, for a directory that holds data is left as it is.</summary>
    async Task LimitNewAsync(CancellationToken cancellation)
    {
        var (found, revision) = (new List<Volume>(), _revision);
        await catalog.ReadAsync(SharedVolumeRows.ChangedSince(_revision), row =>
        {
            (revision, var volume) = SharedVolumeRows.Read(row, (_, _) => { });
            if (volume is { State: VolumeState.Ready, Backend: "nfs" } && volume.Server == settings.NfsServer && volume.Export == settings.NfsExport) found.Add(volume);
        }, cancellation);
        foreach (var volume in found.Where(v => !_limited.Contains(v.Id)))
        {
            await export.LimitAsync(volume, cancellation);
            _limited.Add(volume.Id);
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
                row.GetGuid(1), row.GetString(2), row.GetBoolean(3), row.IsDBNull(4) ? null : row.GetString(4),
                row.IsDBNull(5) ? null : new KernelExports.Client(row.GetString(5), row.GetGuid(6)), !row.IsDBNull(7), !row.IsDBNull(8)));
        }, cancellation);
        return peers;
    }

    async Task<bool> PublishAsync(CancellationToken cancellation)
    {
        var mine = new PublishedExport { Server = settings.NfsServer, Path = settings.NfsExport, HostId = hostId, Directory = export.Directory, RootId = export.RootId };
        if (!export.IsThere) throw new VolumeException($"what this host serves is not at {export.Directory}: mount its disk");
        export.Refusal = await catalog.ApplyAsync(ExportRows.Publish(mine))
            ? null
            : $"{Source} is served by another host, or from another directory than {export.Directory} is: mount the disk that belongs there, or give this host an --nfs-export of its own";
        if (export.Refusal is { } refusal) throw new VolumeException(refusal);

        await RunAsync(() => KernelExports.Withdraw(settings.ExportPlaces, except: export.Directory), cancellation);
        LogPublished(export.Directory, Source);
        return _isPublished = true;
    }

    async Task ShutOutAsync(Peer peer, CancellationToken cancellation)
    {
        await RunAsync(() =>
        {
            if (_kernel.Others() is { Count: > 0 } others)
            {
                throw new VolumeException($"host {peer.Name} cannot be shut out of {Source}: {export.Directory} is exported to {string.Join(", ", others)} by others than volman; remove that from /etc/exports, and run exportfs -r");
            }

            if (peer.Client is { } client) _kernel.Expire(client.Address);
        }, cancellation);
        if (await catalog.ApplyAsync(ExportRows.SetWithdrawn(settings.NfsServer, settings.NfsExport, peer.Id))) LogShutOut(peer.Name, Source);
    }

    async Task<bool> TryAdmitAsync(Peer peer)
    {
        var admitted = await catalog.ApplyAsync(ExportRows.Admit(settings.NfsServer, settings.NfsExport, peer.Id, Guid.NewGuid()));
        if (admitted) LogAdmitted(peer.Name, peer.Address!, Source);
        return admitted;
    }

    string Source => NfsAddress.Source(settings.NfsServer, settings.NfsExport);

    Task<bool> RunAsync(Action call, CancellationToken cancellation) => _lane.RunAsync(
        () =>
        {
            call();
            return true;
        }, cancellation);

    Task<T> RunAsync<T>(Func<T> call, CancellationToken cancellation) => _lane.RunAsync(call, cancellation);

    /// <summary>Once for each trouble, however long it lasts.</summary>
    void Tell(string trouble)
    {
        if (trouble.Length > 0 && trouble != _trouble) LogTrouble(Source, trouble);
        _trouble = trouble;
    }

    /// <summary>Takes back what an earlier daemon of this host published, for this one is not told to.</summary>
    internal static async Task WithdrawLeftAsync(Settings settings, Guid hostId, ClusterCatalog catalog)
    {
        if (!KernelExports.AreLeft(settings.ExportPlaces)) return;
        if (catalog.StaleSince is not null) return;
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
