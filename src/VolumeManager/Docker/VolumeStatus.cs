using System.Globalization;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Docker;

/// <summary>What <c>docker volume inspect</c> shows under Status: what is in force, and who uses the volume. All values are text.</summary>
internal sealed record VolumeStatus(
    string State,
    string Directory,
    IReadOnlyDictionary<string, string> Options,
    IReadOnlyDictionary<string, string>? Labels,
    string? SizeBytes,
    string? SizeEnforced,
    string? UsedBytes,
    string? UsedFiles,
    string? UsedAt,
    IReadOnlyList<HolderStatus> Holders,
    string CreatedOnHost,
    string Epoch,
    string? Unusable,
    string? GivenUp,
    string? Lost,
    string? Stale)
{
    internal static VolumeStatus Of(Volume volume, HostDaemon daemon) => new(
        EnumText.Of(volume.State),
        daemon.Exports.Of(volume).SourceOf(volume),
        EffectiveOptions.Of(volume),
        volume.Labels.Count == 0 ? null : volume.Labels,
        volume.SizeBytes?.ToString(CultureInfo.InvariantCulture),
        volume.SizeBytes is null ? null : daemon.Exports.Of(volume).SizeEnforced(volume),
        volume.UsedBytes?.ToString(CultureInfo.InvariantCulture),
        volume.UsedFiles?.ToString(CultureInfo.InvariantCulture),
        volume.SampledAt is { } at ? Rfc3339.Of(at) : null,
        volume.Mounts.IsEmpty ? [] : [.. Mounts.Holders.Of(volume, daemon.Catalog).Select(HolderStatus.Of)],
        volume.CreatedOnHost,
        volume.Epoch.ToString(CultureInfo.InvariantCulture),
        volume.Unusable,
        daemon.Mounts.IsGivenUp(volume) ? $"another host has {(volume.IsExclusive ? "taken the volume" : "moved the volume to another place")}: stop the containers of this host that still use it" : null,
        daemon.Mounts.IsLost(volume) ? $"{daemon.Exports.Of(volume).Name} does not know this host's mount any more (ESTALE): restart the containers of this host that use it" : null,
        daemon.Catalog.StaleSince is { } since ? Rfc3339.Of(since) : null);
}

/// <summary>One host's use of a volume.</summary>
internal sealed record HolderStatus(string Host, string State, string Callers, string Mounts, string Since)
{
    internal static HolderStatus Of(Holders.Holder holder) => new(
        holder.Host,
        holder.State,
        holder.Callers.ToString(CultureInfo.InvariantCulture),
        holder.Mounts.ToString(CultureInfo.InvariantCulture),
        Rfc3339.Of(holder.Since));
}

/// <summary>Times as the engine parses them (Go time.Time): UTC with a Z.</summary>
internal static class Rfc3339
{
    internal const string Format = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    internal static string Of(DateTime utc) => utc.ToString(Format, CultureInfo.InvariantCulture);
}
