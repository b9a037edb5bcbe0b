using System.Text.Json.Serialization;

namespace VolumeManager.Docker;

// The engine's own names (moby daemon/volume/drivers/proxy.go). Requests may lack any field, and may carry fields that are not known here.

/// <summary>All requests: each route uses the fields that it needs.</summary>
internal sealed class VolumeRequest
{
    public string? Name { get; init; }

    /// <summary>The Mount ID; engines before 1.12 send none.</summary>
    public string? ID { get; init; }

    /// <summary>The options of Create; null is the normal way to pass none.</summary>
    public Dictionary<string, string?>? Opts { get; init; }
}

/// <summary>The answer to Create, Remove and Unmount, and to everything that fails. An empty <c>Err</c> is success.</summary>
internal sealed record ErrorAnswer(string Err);

internal sealed record MountpointAnswer(string Mountpoint, string Err);

internal sealed record GetAnswer(VolumeAnswer Volume, string Err);

/// <param name="CreatedAt">RFC 3339 with an offset: anything else makes the engine forget the volume.</param>
/// <param name="Status">An object. Numbers in it are strings, for the engine turns numbers into floating point.</param>
internal sealed record VolumeAnswer(string Name, string Mountpoint, string CreatedAt, VolumeStatus Status);

[JsonSourceGenerationOptions(PropertyNameCaseInsensitive = true, GenerationMode = JsonSourceGenerationMode.Metadata)]
[JsonSerializable(typeof(VolumeRequest))]
internal sealed partial class RequestJson : JsonSerializerContext;

[JsonSourceGenerationOptions(GenerationMode = JsonSourceGenerationMode.Serialization, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(MountpointAnswer))]
[JsonSerializable(typeof(GetAnswer))]
internal sealed partial class AnswerJson : JsonSerializerContext;
