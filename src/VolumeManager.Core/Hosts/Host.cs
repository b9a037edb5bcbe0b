namespace VolumeManager.Hosts;

/// <summary>One machine that runs <c>volman serve</c>: one row of the table <c>hosts</c>.</summary>
internal sealed class Host
{
    /// <summary>Made at the first start and kept in the state directory.</summary>
    public required Guid Id { get; init; }

    /// <summary>Unique.</summary>
    public required string Name { get; set; }

    public string? Address { get; set; }

    /// <summary>/proc/sys/kernel/random/boot_id of the boot that is on.</summary>
    public required string BootId { get; set; }

    public required string Version { get; set; }

    /// <summary>How many engine starts this host has seen (<c>Plugin.Activate</c>).</summary>
    public long EngineGeneration { get; set; }

    /// <summary>The running daemon that speaks for this host; null after an orderly stop, when another may take over at once.</summary>
    public Guid? InstanceId { get; set; }

    /// <summary>By the database's clock.</summary>
    public DateTime? LeaseExpiresAt { get; set; }

    /// <summary>Until when it has heard for certain what others changed, having told the catalog all that it knew itself.</summary>
    public required DateTime LastSeenAt { get; set; }

    /// <summary><c>live</c>, <c>lost</c> (its lease ran out) or <c>evicted</c> (an operator's word: it holds nothing any more).</summary>
    public required string State { get; set; }
}
