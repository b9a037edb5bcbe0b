using System.Collections.Immutable;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <summary>Who may use a volume at one time.</summary>
internal enum AccessMode { Shared, SingleHost, SingleCaller, ReadOnly }

/// <summary>What becomes of the directory when its volume is removed.</summary>
internal enum OnRemove { Trash, Delete, Retain }

/// <summary>Where a volume stands between creation and the end of its data.</summary>
/// <remarks><c>Restoring</c>: it has its name again, and its data is on the way back from the trash. <c>Purging</c>: its data is being deleted, and nobody gets it back any more.
/// <c>Gone</c>: the data is deleted or let go; the row stays for a day, so that every host hears of it.</remarks>
internal enum VolumeState { Ready, Removing, Trashed, Gone, Restoring, Purging }

/// <summary>A volume: one row of the table <c>volumes</c>, with what belongs to it. Never changed: a new one takes its place.</summary>
internal sealed record Volume
{
    /// <summary>A UUID of version 7, so that rows lie in the order of their making.</summary>
    public required Guid Id { get; init; }

    /// <summary>Unique among volumes that are not trashed, byte for byte.</summary>
    public required string Name { get; init; }

    public required string Backend { get; init; }

    /// <summary>The NFS server; empty for local directories.</summary>
    public string Server { get; init; } = "";

    /// <summary>What the server exports; in a cluster the id of the data root for local directories: a host that has another must not look for the data there.</summary>
    public string Export { get; init; } = "";

    /// <summary>Path relative to the data root or the export, without a leading slash.</summary>
    public required string Directory { get; init; }

    /// <summary>True when the directory was there before the volume (option <c>path</c>).</summary>
    public bool Adopted { get; init; }

    public AccessMode Access { get; init; }

    /// <summary>The limit asked for, in bytes; null for none.</summary>
    public long? SizeBytes { get; init; }

    /// <summary>Owner and mode of the directory at its making.</summary>
    public long Uid { get; init; }

    public long Gid { get; init; }

    public int Mode { get; init; }

    public OnRemove OnRemove { get; init; }

    public VolumeState State { get; init; }

    /// <summary>Grows when an exclusive holder is replaced, and when the volume is moved.</summary>
    public long Epoch { get; init; } = 1;

    /// <summary>The catalog's revision at the volume's last change, its mounts included.</summary>
    public long Revision { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime CreatedAt { get; init; }

    public required string CreatedOnHost { get; init; }

    /// <summary>When the directory was known to be on disk for good. Until then a Mount makes it if it is missing; from then on a missing directory is an error,
    /// for it held data.</summary>
    public DateTime? ProvisionedAt { get; init; }

    /// <summary>When its removal began; of a volume that is being restored, when that began.</summary>
    public DateTime? RemovedAt { get; init; }

    /// <summary>From then on the trashed directory, and later the row, may be deleted. The same as <see cref="RemovedAt"/> when that was asked for at once.</summary>
    public DateTime? PurgeAfter { get; init; }

    /// <summary>What it held when it was last measured: bytes on disk, and inodes; null before the first time. Not a part of its revision.</summary>
    public long? UsedBytes { get; init; }

    public long? UsedFiles { get; init; }

    /// <summary>When that was.</summary>
    public DateTime? SampledAt { get; init; }

    /// <summary>Exactly what the user passed, labels left out. Table <c>volume_options</c>.</summary>
    public IReadOnlyDictionary<string, string> Options { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Table <c>volume_labels</c>.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <summary>Who uses it now. Table <c>mounts</c>.</summary>
    public ImmutableArray<Mount> Mounts { get; init; } = [];

    /// <summary>Why its row is none that volman writes: it may be a newer version's, or an attack. Null when it is valid. Nothing is done with such a volume, and no disk is touched for it.</summary>
    internal string? Fault { get; init; }

    /// <exception cref="VolumeException">Its row is not valid.</exception>
    internal void CheckUsable()
    {
        if (Fault is not null) throw new VolumeException($"volume {Quoted.Text(Name)} cannot be used: {Unusable}");
    }

    /// <summary>The fault with its cure; null when there is none.</summary>
    internal string? Unusable => Fault is null ? null : $"in the catalog {Fault.TrimEnd('.')}, which this volman does not take: correct the row, or install the volman that wrote it";

    internal bool IsMountedOn(Guid hostId) => Mounts.Any(m => m.HostId == hostId);

    /// <summary>False once its data is in the trash or gone.</summary>
    internal bool IsLiving => State is VolumeState.Ready or VolumeState.Removing or VolumeState.Restoring;

    /// <summary>Whether both lie in one place as the catalog tells it. One place may have several names (<see cref="Exports.Aliases"/>).</summary>
    internal bool IsBeside(Volume other) => (Backend, Server, Export) == (other.Backend, other.Server, other.Export);

    /// <summary>Whether its directory is that of the other, as the catalog tells it.</summary>
    internal bool IsAt(Volume other) => IsBeside(other) && Directory == other.Directory;

    /// <summary>What of its directory lies in the data root or the export itself.</summary>
    internal string TopDirectory => Directory.Split('/', 2)[0];

    /// <summary>Whether, in one place, the directory of the one would be that of the other, or lie within it.</summary>
    internal bool Overlaps(Volume other) => Directory == other.Directory
        || Directory.StartsWith(other.Directory + "/", StringComparison.Ordinal) || other.Directory.StartsWith(Directory + "/", StringComparison.Ordinal);

    /// <summary>Whether another host has, or had, what a host mounted for itself alone, or has moved the volume since: the host that comes back has lost it.</summary>
    internal bool IsTakenFrom(Guid hostId) => Mounts.Any(m => m.HostId == hostId && m.Epoch < Epoch) || (IsExclusive && IsMountedOn(hostId) && Mounts.Any(m => m.HostId != hostId));

    /// <summary>Whether one host, or one caller, has it for itself.</summary>
    internal bool IsExclusive => Access is AccessMode.SingleHost or AccessMode.SingleCaller;
}

/// <summary>One option of a volume, as the user passed it. Table <c>volume_options</c>.</summary>
internal sealed class VolumeOption
{
    public required Guid VolumeId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; init; }
}

/// <summary>One label of a volume that is gone, kept with <c>usage_daily</c> and for as long. Table <c>former_labels</c>.</summary>
internal sealed class FormerLabel
{
    /// <summary>No foreign key: the volume's row is deleted.</summary>
    public required Guid VolumeId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; init; }
}

/// <summary>One label of a volume. Table <c>volume_labels</c>.</summary>
internal sealed class VolumeLabel
{
    public required Guid VolumeId { get; init; }
    public required string Key { get; init; }
    public required string Value { get; init; }
}
