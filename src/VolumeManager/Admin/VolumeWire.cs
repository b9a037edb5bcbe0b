using System.Text.Json.Serialization;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>A volume as an operator sees it.</summary>
/// <param name="State"><c>ready</c>, <c>removing</c> or <c>restoring</c>; <c>planned</c> in the answer to a dry run, of one that would be made.</param>
/// <param name="Source">Where its data is, in words that mean the same on every host.</param>
/// <param name="Options">What is in force, defaults included.</param>
/// <param name="SizeEnforced">Whether <c>size</c> is enforced where it lies, and if not why; null without a size.</param>
/// <param name="Unusable">Why it cannot be used: its row in the catalog is not valid; null when it can.</param>
/// <param name="UsedBytes">What it held when it was last measured; null when it never was.</param>
internal sealed record VolumeView(
    Guid Id, string Name, string State, string Source, IReadOnlyDictionary<string, string> Options, IReadOnlyDictionary<string, string> Labels, long? SizeBytes, string? SizeEnforced,
    long? UsedBytes, long? UsedFiles, DateTime? UsedAt, IReadOnlyList<HolderView> Holders, DateTime CreatedAt, string CreatedOnHost, long Epoch, string? Unusable)
{
    internal const string Planned = "planned";

    internal static VolumeView Of(Volume volume, HostDaemon daemon) => new(
        volume.Id, volume.Name, EnumText.Of(volume.State), daemon.Exports.Of(volume).SourceOf(volume), EffectiveOptions.Of(volume), volume.Labels, volume.SizeBytes,
        volume.SizeBytes is null ? null : daemon.Exports.Of(volume).SizeEnforced(volume), volume.UsedBytes, volume.UsedFiles, volume.SampledAt,
        [.. Mounts.Holders.Of(volume, daemon.Catalog).Select(h => new HolderView(h.Host, h.State, h.Callers, h.Mounts, h.Since))], volume.CreatedAt, volume.CreatedOnHost, volume.Epoch, volume.Unusable);
}

/// <summary>One host's use of a volume.</summary>
/// <param name="Callers">How many mount ids of its engine have it.</param>
/// <param name="Mounts">How many times they have mounted it.</param>
internal sealed record HolderView(string Host, string State, int Callers, int Mounts, DateTime Since);

/// <param name="Next">What to pass as <c>after</c> to get the following ones; null when there are no more.</param>
internal sealed record VolumesAnswer(IReadOnlyList<VolumeView> Volumes, string? Next);

/// <param name="Options">As those of <c>docker volume create -o</c>.</param>
/// <param name="DryRun">Only tell whether it could be made, and what it would be.</param>
internal sealed record CreateRequest([property: JsonRequired] string Name, IReadOnlyDictionary<string, string?>? Options, bool DryRun = false);

/// <summary>The fact that a mount id of a host's engine uses a volume.</summary>
internal sealed record MountView(string Volume, Guid VolumeId, string Host, string HostState, string CallerId, int Count, DateTime MountedAt)
{
    internal static MountView Of(Volume volume, Mount mount, VolumeCatalog catalog)
    {
        var host = catalog.InfoOf(mount.HostId);
        return new MountView(volume.Name, volume.Id, host.Name, host.State, mount.CallerId, mount.Count, mount.MountedAt);
    }
}

/// <param name="Next">As that of volumes.</param>
internal sealed record MountsAnswer(IReadOnlyList<MountView> Mounts, string? Next);
