using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>Writes events: with the change that they tell of, or on their own for what changed nothing.</summary>
internal sealed class History(CatalogWriter catalog, string host)
{
    /// <summary>An event of now about <paramref name="volume"/>.</summary>
    internal Event Of(string kind, Volume volume, string? callerId = null, string? detail = null, TimeSpan? duration = null, string? error = null) => new()
    {
        At = DateTime.UtcNow,
        Host = host,
        VolumeId = volume.Id,
        VolumeName = volume.Name,
        Kind = kind,
        CallerId = callerId,
        DurationMs = duration?.TotalMilliseconds,
        Error = error,
        Detail = detail,
    };

    /// <summary>Adds an event that nobody waits for. It is lost if the daemon dies within the next moment; what changed the catalog is told in its own transaction.</summary>
    internal void Record(Event e) => _ = catalog.WriteAsync(db => AppendAsync(db, e), CancellationToken.None);

    /// <summary>Tells of a request that was refused or failed. The name is what the engine sent, whatever that was.</summary>
    internal void RecordFailure(string kind, string name, string? callerId, string error, TimeSpan duration) => Record(new Event
    {
        At = DateTime.UtcNow,
        Host = host,
        VolumeName = name.Length > 255 ? name[..255] : name,
        Kind = kind,
        CallerId = callerId,
        DurationMs = duration.TotalMilliseconds,
        Error = error,
    });

    /// <summary>Adds an event within the transaction of <paramref name="db"/>.</summary>
    internal static Task<int> AppendAsync(CatalogConnection db, Event e) => db.ExecuteAsync(
        $"INSERT INTO events (at, host, volume_id, volume_name, kind, caller_id, duration_ms, error, detail) VALUES ({e.At}, {e.Host}, {e.VolumeId}, {e.VolumeName}, {e.Kind}, {e.CallerId}, {e.DurationMs}, {e.Error}, {e.Detail})");
}
