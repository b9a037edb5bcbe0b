using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>What was removed and is not deleted yet.</summary>
internal static class TrashRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/trash", "The volumes in the trash, those first that were removed last", AdminJson.Default.TrashAnswer,
            async call => Answer(call, await call.Daemon.Trash.ListAsync(call.Cancellation))),
        new("DELETE", "/v1/trash", "Delete the data of all volumes in the trash before its time", AdminJson.Default.TrashAnswer,
            async call => Answer(call, await call.Daemon.Trash.PurgeAllAsync(call.Cancellation))),
        new("DELETE", "/v1/trash/{volume}", "Delete the data of a removed volume, named by id or name, before its time", AdminJson.Default.TrashAnswer,
            async call => Answer(call, [await call.Daemon.Trash.PurgeAsync(call["volume"], call.Cancellation)])),
        new("POST", "/v1/trash/{volume}/restore", "Bring a removed volume, named by id or name, back with its data and options", AdminJson.Default.RestoreAnswer, RestoreAsync)
            { Request = AdminJson.Default.RestoreRequest, IsRequestOptional = true },
    ];

    static TrashAnswer Answer(Call call, IEnumerable<Volume> volumes) => new([.. volumes.Select(v => TrashedVolume.Of(v, call.Daemon.Exports))]);

    static async Task<object> RestoreAsync(Call call)
    {
        var request = await call.ReadAsync<RestoreRequest>();
        if (request.Name is not null) VolumeRoutes.CheckName(request.Name);
        var restored = await call.Daemon.Trash.RestoreAsync(call["volume"], request.Name, call.Cancellation);
        return new RestoreAnswer(restored.Id, restored.Name, call.Daemon.Exports.Of(restored).SourceOf(restored));
    }
}
