namespace VolumeManager.Catalog;

/// <summary>One line of history: everything that changed, and every failure. Rows are only ever added, until their retention is over.</summary>
internal sealed class Event
{
    /// <summary>Grows.</summary>
    public long Id { get; init; }

    /// <summary>Unique: the same event delivered twice is there once.</summary>
    public Guid? Operation { get; init; } = Guid.CreateVersion7();

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

    /// <summary>When the mount began that this event ended; null when it ended none. Of such events the history of mounts is made.</summary>
    public DateTime? MountedAt { get; init; }

    /// <summary>The operator who asked for it over the admin API; null for an engine's requests and for what volman does by itself.</summary>
    public string? Actor { get; init; }
}

/// <summary>The kinds of events, a contract for those who query history.</summary>
internal static class EventKind
{
    public const string Create = "create";
    public const string Remove = "remove";
    public const string Restore = "restore";
    public const string Purge = "purge";
    public const string Mount = "mount";
    public const string Unmount = "unmount";

    /// <summary>An operator changed options of the volume.</summary>
    public const string Set = "set";

    /// <summary>The volume was made with the data of another.</summary>
    public const string Clone = "clone";

    /// <summary>The volume's data was copied to another place, and is there from now on.</summary>
    public const string Move = "move";

    /// <summary>An operator had the data deleted before its time; <c>purge</c> follows when it is.</summary>
    public const string PurgeOrder = "purge-order";

    /// <summary>The kernel mounted the directory on this host, for the first of its callers.</summary>
    public const string Attach = "attach";

    /// <summary>The reconciler dropped a mount that nothing holds any more.</summary>
    public const string Reclaim = "reclaim";

    /// <summary>An exclusive volume was taken from a host that is lost.</summary>
    public const string Takeover = "takeover";

    /// <summary>A lost host's mount ended so: its volume was taken over.</summary>
    public const string Taken = "taken";

    /// <summary>This host came back to an exclusive volume that another had taken, and gave it up.</summary>
    public const string GiveUp = "give-up";

    /// <summary>What this host did while the catalog was away does not fit what others did meanwhile.</summary>
    public const string Conflict = "conflict";

    public const string HostStart = "host-start";
    public const string HostLost = "host-lost";
    public const string HostEvict = "host-evict";
    public const string EngineStart = "engine-start";

    /// <summary>A token of the admin API was made, or revoked.</summary>
    public const string TokenCreate = "token-create";
    public const string TokenRemove = "token-remove";
}
