using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>What was removed and is not deleted yet.</summary>
internal static class TrashRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/trash", "The volumes in the trash, those first that were removed last", AdminJson.Default.TrashAnswer, ListAsync) { Query = QueryParameter.Page },
        new("DELETE", "/v1/trash", "Delete the data of all volumes in the trash before its time", AdminJson.Default.TrashAnswer,
            async call => Answer(call, await (call.Filters.Flag("dry_run") ? call.Daemon.Trash.ListAsync(call.Cancellation) : call.Daemon.Trash.PurgeAllAsync(call.Cancellation)))) { Query = [QueryParameter.DryRun("Only tell whose data would be deleted")] },
        new("DELETE", "/v1/trash/{volume}", "Delete the data of a removed volume, named by id or name, before its time", AdminJson.Default.TrashAnswer,
            async call => Answer(call, [await call.Daemon.Trash.PurgeAsync(call["volume"], call.Filters.Flag("dry_run"), call.Cancellation)])) { Query = [QueryParameter.DryRun("Only tell whose data would be deleted")] },
        new("POST", "/v1/trash/{volume}/restore", "Bring a removed volume, named by id or name, back with its data and options", AdminJson.Default.RestoreAnswer, RestoreAsync)
            { Request = AdminJson.Default.RestoreRequest, IsRequestOptional = true },
    ];

    static TrashAnswer Answer(Call call, IEnumerable<Volume> volumes, string? next = null) => new([.. volumes.Select(v => TrashedVolume.Of(v, call.Daemon.Exports))], next);

    static async Task<object> ListAsync(Call call)
    {
        var (limit, after) = (call.Filters.Number("limit"), After(call));
        // As the trash sorts them.
        var found = (await call.Daemon.Trash.ListAsync(call.Cancellation)).Where(v => after is not { } last || v.RemovedAt < last.At || (v.RemovedAt == last.At && v.Id.CompareTo(last.Id) > 0)).Take(limit + 1).ToList();
        return Answer(call, found.Take(limit), found.Count > limit ? $"{found[limit - 1].RemovedAt:O}/{found[limit - 1].Id}" : null);
    }

    static (DateTime At, Guid Id)? After(Call call) => call.Filters.Value("after") is not { } text ? null
        : text.Split('/') is [var time, var id] && QueryParameter.TryTime(time, out var at) && Guid.TryParse(id, out var known) ? (at, known)
        : throw QueryFilters.NoNext();

    static async Task<object> RestoreAsync(Call call)
    {
        var request = await call.ReadAsync<RestoreRequest>();
        if (request.Name is not null) VolumeRoutes.CheckName(request.Name);
        var restored = await call.Daemon.Trash.RestoreAsync(call["volume"], request.Name, request.DryRun, call.Cancellation);
        return new RestoreAnswer(restored.Id, restored.Name, call.Daemon.Exports.Of(restored).SourceOf(restored));
    }
}
