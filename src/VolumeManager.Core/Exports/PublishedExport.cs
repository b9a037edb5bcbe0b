namespace VolumeManager.Exports;

/// <summary>An export whose NFS server is a host of the cluster, and so volman's to open and close: one row of the table <c>exports</c>.</summary>
internal sealed class PublishedExport
{
    /// <summary>Server and path as volumes name them.</summary>
    public required string Server { get; init; }

    public required string Path { get; init; }

    /// <summary>The host that serves it.</summary>
    public required Guid HostId { get; init; }

    /// <summary>The directory on that host.</summary>
    public required string Directory { get; init; }

    /// <summary>The id that the directory bears (<see cref="DataRootId"/>): another one there is another disk, or none.</summary>
    public required string RootId { get; init; }
}

/// <summary>What one host may do on a published export: one row of the table <c>export_clients</c>.</summary>
internal sealed class ExportClient
{
    public required string Server { get; init; }

    public required string Path { get; init; }

    public required Guid HostId { get; init; }

    /// <summary>From where the host comes.</summary>
    public required string Address { get; init; }

    /// <summary>The export's fsid for this host (exports(5)), a part of each file handle that it is given. One that was shut out gets another when it is let in again:
    /// what it had open before stays shut for ever.</summary>
    public required Guid Fsid { get; init; }

    /// <summary>Somebody needs the host shut out.</summary>
    public DateTime? WithdrawAskedAt { get; init; }

    /// <summary>An eviction needs it, whatever the host has done since. A takeover's need is over when the host is live again: nothing was taken from it.</summary>
    public bool IsEvicted { get; init; }

    /// <summary>From then on the serving host's kernel refuses whatever the host sends.</summary>
    public DateTime? WithdrawnAt { get; init; }
}
