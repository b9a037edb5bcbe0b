namespace VolumeManager.Catalog;

/// <summary>One line of history: everything that changed, and every failure. Rows are only ever added, until their retention is over.</summary>
internal sealed class Event
{
    /// <summary>Grows.</summary>
    public long Id { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime At { get; init; }

    public required string Host { get; init; }

    /// <summary>No foreign key: history outlives the volume.</summary>
    public Guid? VolumeId { get; init; }

    public string? VolumeName { get; init; }

    /// <summary>One of <see cref="EventKind"/>.</summary>
    public required string Kind { get; init; }

    public string? CallerId { get; init; }

    /// <summary>How long it took, where that is known.</summary>
    public double? DurationMs { get; init; }

    /// <summary>Why it failed; null when it did not.</summary>
    public string? Error { get; init; }

    public string? Detail { get; init; }
}

/// <summary>The kinds of events, a contract for those who query history.</summary>
internal static class EventKind
{
    public const string Create = "create";
    public const string Remove = "remove";
    public const string Purge = "purge";
    public const string Mount = "mount";
    public const string Unmount = "unmount";

    /// <summary>The kernel mounted the directory on this host, for the first of its callers.</summary>
    public const string Attach = "attach";

    /// <summary>The reconciler dropped a mount that nothing holds any more.</summary>
    public const string Reclaim = "reclaim";

    public const string HostStart = "host-start";
    public const string EngineStart = "engine-start";
}
