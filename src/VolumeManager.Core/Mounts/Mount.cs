namespace VolumeManager.Mounts;

/// <summary>The fact that a caller on a host uses a volume: one row of the table <c>mounts</c>.</summary>
internal sealed record Mount
{
    public required Guid VolumeId { get; init; }

    public required Guid HostId { get; init; }

    /// <summary>The Mount ID that the engine sent; empty for engines before 1.12, which send none.</summary>
    public required string CallerId { get; init; }

    /// <summary>How many Unmounts of this caller are due: <c>docker cp</c> on a running container mounts again with the container's own ID.</summary>
    public required int Count { get; init; }

    /// <summary>The boot of the host in which it was mounted; a mount of an earlier boot is gone.</summary>
    public required string BootId { get; init; }

    /// <summary>The run of the engine that claimed it first: grows with each <c>Plugin.Activate</c>.</summary>
    public required long EngineGeneration { get; init; }

    /// <summary>The volume's epoch when it was claimed. A volume of a later one has been given to another host meanwhile.</summary>
    public long Epoch { get; init; } = 1;

    /// <summary>UTC.</summary>
    public required DateTime MountedAt { get; init; }
}
