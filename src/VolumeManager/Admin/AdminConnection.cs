using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace VolumeManager.Admin;

/// <summary>Marks what came over the admin socket: what is served there is served nowhere else, and the other way round.</summary>
internal sealed class AdminConnection
{
    static readonly AdminConnection s_mark = new();

    internal static void Mark(ListenOptions socket) => socket.Use(next => connection =>
    {
        connection.Features.Set(s_mark);
        return next(connection);
    });

    internal static bool Is(HttpContext http) => http.Features.Get<AdminConnection>() is not null;
}
