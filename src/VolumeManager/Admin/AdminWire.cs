using System.Text.Json.Serialization;
using VolumeManager.Catalog;
using VolumeManager.Exports;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

// Names and spelling are those of the catalog's tables, for who asks here asks there too.

/// <summary>A volume in the trash.</summary>
/// <param name="State"><c>trashed</c>, or <c>purging</c> while its data is being deleted.</param>
/// <param name="Source">Where its data was.</param>
/// <param name="UsedBytes">What it held when it was last measured; null when it never was.</param>
internal sealed record TrashedVolume(Guid Id, string Name, string State, string Backend, string Source, DateTime RemovedAt, DateTime PurgeAfter, long? UsedBytes)
{
    internal static TrashedVolume Of(Volume volume, ExportTable exports) => new(
        volume.Id, volume.Name, EnumText.Of(volume.State), volume.Backend, exports.Of(volume).SourceOf(volume), volume.RemovedAt!.Value, volume.PurgeAfter!.Value, volume.UsedBytes);
}

/// <summary>The answer to a question for volumes of the trash, and to their deletion: those that it concerns.</summary>
internal sealed record TrashAnswer(IReadOnlyList<TrashedVolume> Volumes);

/// <param name="Name">The name that the volume shall have; null for its own.</param>
internal sealed record RestoreRequest(string? Name);

/// <param name="Source">Where its data is.</param>
internal sealed record RestoreAnswer(Guid Id, string Name, string Source);

/// <summary>Why a request was refused (RFC 9457).</summary>
internal sealed record Problem(int Status, string Detail);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(TrashAnswer))]
[JsonSerializable(typeof(IReadOnlyList<TrashedVolume>))]
[JsonSerializable(typeof(RestoreRequest))]
[JsonSerializable(typeof(RestoreAnswer))]
[JsonSerializable(typeof(Problem))]
internal sealed partial class AdminJson : JsonSerializerContext;
