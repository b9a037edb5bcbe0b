namespace VolumeManager.Admin;

/// <summary>The table of all routes. Each file of routes adds its own.</summary>
internal static class AdminRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/status", "What the daemon of this host says of itself", AdminJson.Default.StatusAnswer, async call => await StatusAnswer.OfAsync(call.Daemon)) { Waits = false },
        .. VolumeRoutes.All,
        .. ChangeRoutes.All,
        .. TrashRoutes.All,
    ];
}
