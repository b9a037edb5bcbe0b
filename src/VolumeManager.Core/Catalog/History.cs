using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>Makes events, and records those that come without a change.</summary>
internal sealed class History(VolumeCatalog catalog, string host)
{
    /// <summary>An event of now about <paramref name="volume"/>.</summary>
    internal Event Of(string kind, Volume volume, string? callerId = null, string? detail = null, TimeSpan? duration = null, string? error = null) => new()
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
    });
}
