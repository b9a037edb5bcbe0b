using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

// Names and spelling are those of the catalog's tables, for who asks here asks there too.

/// <summary>What the daemon of a host can say of itself from memory.</summary>
/// <param name="StaleSince">Since when the cluster's catalog is away; null when it is in touch.</param>
/// <param name="MountedVolumes">Those that this host has mounted, for <paramref name="Callers"/> mount ids.</param>
/// <param name="Schema">The last migration of the catalog's schema that it works with.</param>
/// <param name="LeaseExpiresAt">Until when this host's word holds in its cluster; null outside of one.</param>
/// <param name="UntoldEvents">What this host has done that the cluster's catalog has not heard yet.</param>
/// <param name="Warnings">What an operator should see to, each a sentence.</param>
internal sealed record StatusAnswer(
    string Version, string Host, Guid HostId, DateTime StartedAt, string Scope, string Catalog, string Schema, DateTime? StaleSince, DateTime? LeaseExpiresAt, int Volumes, int MountedVolumes, int Callers, long UntoldEvents, IReadOnlyList<string> Warnings)
{
    static readonly DateTime s_startedAt = System.Diagnostics.Process.GetCurrentProcess().StartTime.ToUniversalTime();

    internal static async Task<StatusAnswer> OfAsync(HostDaemon daemon)
    {
        var catalog = daemon.Catalog;
        var mounted = catalog.Index.All.Where(v => v.IsMountedOn(daemon.Host.Id)).ToList();
        return new StatusAnswer(
            ProgramVersion.Text, daemon.Host.Name, daemon.Host.Id, s_startedAt, catalog.Scope, catalog.Name, catalog.Schema, catalog.StaleSince, catalog.LeaseExpiresAt, catalog.Index.Count,
            mounted.Count, mounted.Sum(v => v.Mounts.Count(catalog.Index.IsOwn)), await catalog.CountUntoldAsync(), [.. daemon.Warnings()]);
    }
}

/// <summary>A volume in the trash.</summary>
/// <param name="State"><c>trashed</c>, or <c>purging</c> while its data is being deleted.</param>
/// <param name="Source">Where its data was.</param>
/// <param name="UsedBytes">What it held when it was last measured; null when it never was.</param>
internal sealed record TrashedVolume(Guid Id, string Name, string State, string Backend, string Source, DateTime RemovedAt, DateTime PurgeAfter, long? UsedBytes)
{
    internal static TrashedVolume Of(Volume volume, ExportTable exports) => new(
        volume.Id, volume.Name, EnumText.Of(volume.State), volume.Backend, exports.Of(volume).SourceOf(volume), volume.RemovedAt ?? DateTime.UnixEpoch, volume.PurgeAfter ?? DateTime.UnixEpoch, volume.UsedBytes);
}

/// <summary>The answer to a question for volumes of the trash, and to their deletion: those that it concerns.</summary>
/// <param name="Next">As that of volumes.</param>
internal sealed record TrashAnswer(IReadOnlyList<TrashedVolume> Volumes, string? Next);

/// <param name="Name">The name that the volume shall have; null for its own.</param>
/// <param name="DryRun">Only tell whether it could be restored, and where its data would be.</param>
internal sealed record RestoreRequest(string? Name, bool DryRun = false);

/// <param name="Source">Where its data is.</param>
internal sealed record RestoreAnswer(Guid Id, string Name, string Source);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(StatusAnswer))]
[JsonSerializable(typeof(ExportsAnswer))]
[JsonSerializable(typeof(VolumesAnswer))]
[JsonSerializable(typeof(IReadOnlyList<VolumeView>))]
[JsonSerializable(typeof(CreateRequest))]
[JsonSerializable(typeof(SetRequest))]
[JsonSerializable(typeof(SetAnswer))]
[JsonSerializable(typeof(MoveRequest))]
[JsonSerializable(typeof(CloneRequest))]
[JsonSerializable(typeof(CopyLine))]
[JsonSerializable(typeof(AdoptableAnswer))]
[JsonSerializable(typeof(MountsAnswer))]
[JsonSerializable(typeof(IReadOnlyList<MountView>))]
[JsonSerializable(typeof(TrashAnswer))]
[JsonSerializable(typeof(IReadOnlyList<TrashedVolume>))]
[JsonSerializable(typeof(RestoreRequest))]
[JsonSerializable(typeof(RestoreAnswer))]
[JsonSerializable(typeof(HostsAnswer))]
[JsonSerializable(typeof(IReadOnlyList<HostView>))]
[JsonSerializable(typeof(EvictRequest))]
[JsonSerializable(typeof(EvictAnswer))]
[JsonSerializable(typeof(EventsAnswer))]
[JsonSerializable(typeof(IReadOnlyList<EventView>))]
[JsonSerializable(typeof(TokensAnswer))]
[JsonSerializable(typeof(IReadOnlyList<TokenView>))]
[JsonSerializable(typeof(TokenRequest))]
[JsonSerializable(typeof(NewToken))]
[JsonSerializable(typeof(RemovedToken))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(JsonObject))]
[JsonSerializable(typeof(JsonArray))]
internal sealed partial class AdminJson : JsonSerializerContext;
