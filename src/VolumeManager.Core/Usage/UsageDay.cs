namespace VolumeManager.Usage;

/// <summary>What a volume held on one day: one row of the table <c>usage_daily</c>, made of the day's samples and kept for longer than they are.</summary>
internal sealed class UsageDay
{
    /// <summary>UTC.</summary>
    public required DateOnly Day { get; init; }

    /// <summary>No foreign key: what a volume has cost is asked for when it is gone.</summary>
    public required Guid VolumeId { get; init; }

    public required string VolumeName { get; init; }

    /// <summary>By the day's last sample: bytes on disk, and inodes.</summary>
    public required long Bytes { get; init; }

    public required long Files { get; init; }

    public required long MinBytes { get; init; }

    public required long MaxBytes { get; init; }

    /// <summary>Over all samples: divided by <see cref="Samples"/> it is what the volume held on average.</summary>
    public required long SumBytes { get; init; }

    public required int Samples { get; init; }

    /// <summary>When the last one was taken. UTC.</summary>
    public required DateTime SampledAt { get; init; }
}
