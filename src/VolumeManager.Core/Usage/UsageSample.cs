namespace VolumeManager.Usage;

/// <summary>How much a volume held at one moment: one row of the table <c>usage_samples</c>.</summary>
internal sealed class UsageSample
{
    /// <summary>No foreign key: samples outlive the volume, until their retention is over.</summary>
    public required Guid VolumeId { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime TakenAt { get; init; }

    /// <summary>Bytes on disk, holes left out: what du(1) counts.</summary>
    public required long Bytes { get; init; }

    /// <summary>Files, directories and all else that has an inode, the volume's own directory included.</summary>
    public required long Files { get; init; }

    /// <summary>The host that looked.</summary>
    public required Guid HostId { get; init; }
}
