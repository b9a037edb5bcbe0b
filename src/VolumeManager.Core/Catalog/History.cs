using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>Makes events, and records those that come without a change.</summary>
internal sealed class History(VolumeCatalog catalog, string host)
{
    static readonly AsyncLocal<string?> s_actor = new();

    /// <summary>The operator for whom this request works; null for an engine's. It goes where the request goes, so that no service in between need know of it.</summary>
    internal static string? Actor
    {
        get => s_actor.Value;
        set => s_actor.Value = value;
    }

    /// <summary>An event of now about <paramref name="volume"/>.</summary>
    /// <param name="ended">The mount that ends with it.</param>
    internal Event Of(string kind, Volume volume, string? callerId = null, string? detail = null, TimeSpan? duration = null, string? error = null, Mount? ended = null) => new()
    {
        At = catalog.Now,
        Host = host,
        VolumeId = volume.Id,
        VolumeName = volume.Name,
        Kind = kind,
        CallerId = callerId,
        DurationMs = duration?.TotalMilliseconds,
        Error = error,
        Detail = detail,
        MountedAt = ended?.MountedAt,
        Actor = Actor,
    };

    /// <summary>Tells of a request that was refused or failed. The name is what the engine sent, whatever that was.</summary>
    internal void RecordFailure(string kind, string name, string? callerId, string error, TimeSpan duration) => catalog.Record(new Event
    {
        At = catalog.Now,
        Host = host,
        // What PostgreSQL cannot hold in a text is not a name either.
        VolumeName = (name.Length > 255 ? name[..255] : name).Replace('\0', '?'),
        Kind = kind,
        CallerId = callerId?.Replace('\0', '?'),
        DurationMs = duration.TotalMilliseconds,
        Error = error,
        Actor = Actor,
    });
}
