using System.Globalization;
using VolumeManager.Catalog;

namespace VolumeManager.Admin;

/// <summary>The history: what changed, what failed, and who asked for it.</summary>
internal static class EventRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/events", "What changed and what failed, the newest first", AdminJson.Default.EventsAnswer, ListAsync)
        {
            Query =
            [
                QueryParameter.Time("since", "Only events of then or later"),
                QueryParameter.Time("until", "Only events of before then"),
                QueryParameter.Text("kind", "Only events of this kind, such as create or unmount"),
                QueryParameter.Text("volume", "Only events of volumes of this name"),
                QueryParameter.Text("host", "Only events of the host of this name"),
                QueryParameter.Flag("failed", "Only what was refused or failed"),
                .. QueryParameter.Page,
            ],
        },
    ];

    static async Task<object> ListAsync(Call call)
    {
        var filters = call.Filters;
        long? after = filters.Value("after") is not { } text ? null : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : throw QueryFilters.NoNext();
        var limit = filters.Number("limit");
        var found = new List<EventView>();
        await call.Daemon.Catalog.ReadAsync(
            EventRows.Find(filters.Time("since"), filters.Time("until"), filters.Value("kind"), filters.Value("volume"), filters.Value("host"), filters.Flag("failed"), after, limit + 1),
            row => found.Add(EventView.Of(row.GetInt64(0), EventRows.Read(row, Guid.Empty))), call.Cancellation);
        return new EventsAnswer([.. found.Take(limit)], found.Count > limit ? found[limit - 1].Id.ToString(CultureInfo.InvariantCulture) : null);
    }
}

/// <summary>One line of history.</summary>
/// <param name="Id">Grows.</param>
/// <param name="DurationMs">How long it took, where that is known.</param>
/// <param name="Error">Why it failed; null when it did not.</param>
/// <param name="MountedAt">When the mount began that it ended; null when it ended none.</param>
/// <param name="Actor">Who asked for it over the admin API; null for an engine's requests and for what volman does by itself.</param>
internal sealed record EventView(
    long Id, DateTime At, string Host, Guid? VolumeId, string? Volume, string Kind, string? CallerId, double? DurationMs, string? Error, string? Detail, DateTime? MountedAt, string? Actor)
{
    internal static EventView Of(long id, Event e) => new(id, e.At, e.Host, e.VolumeId, e.VolumeName, e.Kind, e.CallerId, e.DurationMs, e.Error, e.Detail, e.MountedAt, e.Actor);
}

/// <param name="Next">As that of volumes.</param>
internal sealed record EventsAnswer(IReadOnlyList<EventView> Events, string? Next);
