namespace VolumeManager.Admin;

/// <summary>The table of all routes. Each file of routes adds its own.</summary>
internal static class AdminRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/status", "What the daemon of this host says of itself", AdminJson.Default.StatusAnswer, async call => await StatusAnswer.OfAsync(call.Daemon)) { Waits = false },
        new("GET", "/v1/openapi.json", "This document", AdminJson.Default.JsonObject, _ => Task.FromResult<object>(OpenApi.Document)) { Waits = false },
        new("GET", "/v1/exports", "The places where volumes lie, and whether they can be used now", AdminJson.Default.ExportsAnswer, async call => await ExportsAnswer.OfAsync(call.Daemon, call.Cancellation)),
        .. VolumeRoutes.All,
        .. ChangeRoutes.All,
        .. TrashRoutes.All,
        .. HostRoutes.All,
        .. EventRoutes.All,
        .. ReportRoutes.All,
        .. DoctorRoutes.All,
        .. TokenRoutes.All,
    ];
}
