using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>What an operator can ask and order: JSON over HTTP on a socket of its own. The table of its routes, and the one place where an exception becomes a problem.</summary>
internal sealed partial class AdminApi(Task<HostDaemon> opening, ILogger<AdminApi> log)
{
    // As for an engine: what takes longer goes on, but nobody waits for it.
    static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(110);

    /// <summary>One route. A star in its path stands for one segment, which its handler gets.</summary>
    /// <param name="Handle">Returns the answer.</param>
    /// <param name="Waits">Whether who asks waits until the catalog is open, or is told at once that it is not.</param>
    sealed record Route(string Method, string Path, Func<Call, Task<Answer>> Handle, bool Waits = true)
    {
        internal bool Fits(string[] segments, out string? named)
        {
            var own = Path.Split('/');
            var star = Array.IndexOf(own, "*");
            named = star < 0 || own.Length != segments.Length ? null : segments[star];
            return own.Length == segments.Length && own.Zip(segments).All(pair => pair.First == pair.Second || (pair.First == "*" && pair.Second.Length > 0));
        }
    }

    /// <param name="Named">What the star of the route stands for.</param>
    sealed record Call(HttpContext Http, HostDaemon Daemon, string Named, CancellationToken Cancellation)
    {
        internal QueryFilters Filters => new(Http.Request.Query);

        /// <exception cref="BadRequestException">It is not what the route takes.</exception>
        internal async Task<T> ReadAsync<T>(JsonTypeInfo<T> type)
        {
            try
            {
                return await JsonSerializer.DeserializeAsync(Http.Request.Body, type, Cancellation) ?? throw new BadRequestException("the request is null: send a JSON object");
            }
            catch (JsonException e)
            {
                throw new BadRequestException($"the request is not the JSON object of this route ({e.Message})");
            }
        }
    }

    sealed record Answer(object Body, JsonTypeInfo Type);

    static readonly Route[] s_routes =
    [
        new("GET", "/v1/status", async call => new Answer(await StatusAnswer.OfAsync(call.Daemon), AdminJson.Default.StatusAnswer), Waits: false),
        new("GET", "/v1/volumes", async call => new Answer(await VolumeRoutes.ListAsync(call.Daemon, call.Filters, call.Cancellation), AdminJson.Default.VolumesAnswer)),
        new("POST", "/v1/volumes", async call =>
        {
            var request = await call.ReadAsync(AdminJson.Default.CreateRequest);
            CheckName(request.Name);
            await call.Daemon.Volumes.CreateAsync(request.Name, request.Options, call.Cancellation);
            return await VolumeAsync(call, request.Name);
        }),
        new("GET", "/v1/volumes/*", call => VolumeAsync(call, call.Named)),
        new("DELETE", "/v1/volumes/*", async call =>
        {
            var volume = await VolumeRoutes.FindAsync(call.Daemon, call.Named, call.Cancellation);
            await call.Daemon.Volumes.RemoveAsync(volume.Name, call.Cancellation);
            return new Answer(VolumeView.Of(volume, call.Daemon), AdminJson.Default.VolumeView);
        }),
        new("GET", "/v1/mounts", async call => new Answer(await VolumeRoutes.ListMountsAsync(call.Daemon, call.Filters, call.Cancellation), AdminJson.Default.MountsAnswer)),
        new("GET", "/v1/trash", async call => Trashed(call, await call.Daemon.Trash.ListAsync(call.Cancellation))),
        new("DELETE", "/v1/trash", async call => Trashed(call, await call.Daemon.Trash.PurgeAllAsync(call.Cancellation))),
        new("DELETE", "/v1/trash/*", async call => Trashed(call, [await call.Daemon.Trash.PurgeAsync(call.Named, call.Cancellation)])),
        new("POST", "/v1/trash/*/restore", async call =>
        {
            var request = call.Http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true ? await call.ReadAsync(AdminJson.Default.RestoreRequest) : new RestoreRequest(null);
            if (request.Name is not null) CheckName(request.Name);
            var restored = await call.Daemon.Trash.RestoreAsync(call.Named, request.Name, call.Cancellation);
            return new Answer(new RestoreAnswer(restored.Id, restored.Name, call.Daemon.Exports.Of(restored).SourceOf(restored)), AdminJson.Default.RestoreAnswer);
        }),
        new("GET", "/v1/doctor", async call => new Answer(await DoctorRoutes.DiagnoseAsync(call.Daemon, call.Cancellation), DoctorJson.Default.DoctorAnswer)),
        new("POST", "/v1/doctor", async call => new Answer(await DoctorRoutes.RepairAsync(call.Daemon, await call.ReadAsync(DoctorJson.Default.RepairRequest), call.Cancellation), DoctorJson.Default.DoctorAnswer)),
    ];

    static void CheckName(string name)
    {
        if (!VolumeName.IsValid(name)) throw new BadRequestException(VolumeName.Refusal(name));
    }

    static async Task<Answer> VolumeAsync(Call call, string name) =>
        new(VolumeView.Of(await VolumeRoutes.FindAsync(call.Daemon, name, call.Cancellation), call.Daemon), AdminJson.Default.VolumeView);

    static Answer Trashed(Call call, IEnumerable<Volume> volumes) =>
        new(new TrashAnswer([.. volumes.Select(v => TrashedVolume.Of(v, call.Daemon.Exports))]), AdminJson.Default.TrashAnswer);

    internal async Task HandleAsync(HttpContext http)
    {
        var segments = (http.Request.Path.Value ?? "").Split('/');
        var named = "";
        var there = s_routes.Where(r => r.Fits(segments, out _)).ToList();
        if (there.Find(r => r.Method == http.Request.Method && r.Fits(segments, out named)) is not { } route)
        {
            http.Response.Headers.Allow = there.Count > 0 ? string.Join(", ", there.Select(r => r.Method)) : default;
            await (there.Count > 0
                ? RefuseAsync(http, StatusCodes.Status405MethodNotAllowed, $"{http.Request.Method} is not for {http.Request.Path}: use {string.Join(" or ", there.Select(r => r.Method))}")
                : RefuseAsync(http, StatusCodes.Status404NotFound, $"there is no {http.Request.Path}: see the admin API in docs/operations.md"));
            return;
        }

        await HandleAsync(http, route, named ?? "");
    }

    /// <summary>What changes something goes on to a consistent end whatever happens here; only the waiting for it is bounded.</summary>
    async Task HandleAsync(HttpContext http, Route route, string named)
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        cancellation.CancelAfter(s_deadline);
        try
        {
            if (!route.Waits && !opening.IsCompletedSuccessfully)
            {
                await RefuseAsync(http, StatusCodes.Status503ServiceUnavailable, "volman is starting: its catalog is being opened");
                return;
            }

            var daemon = await opening.WaitAsync(cancellation.Token);
            var answer = await route.Handle(new Call(http, daemon, named, cancellation.Token)).WaitAsync(cancellation.Token);
            await WriteAsync(http, "application/json", answer.Body, answer.Type);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            http.Abort();
        }
        catch (OperationCanceledException)
        {
            await RefuseAsync(http, StatusCodes.Status504GatewayTimeout, $"this did not finish within {s_deadline.TotalSeconds:0} s, and may go on: see volman trash ls");
        }
        catch (VolumeException e)
        {
            LogRefused(route.Method, http.Request.Path, e.Message);
            await RefuseAsync(http, StatusOf(e), e.Message);
        }
#pragma warning disable CA1031 // Whatever went wrong, who asked must hear of it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogUnexpected(e, route.Method, http.Request.Path);
            await RefuseAsync(http, StatusCodes.Status500InternalServerError, $"this failed unexpectedly ({e.Message}): see volman's log");
        }
    }

    static int StatusOf(VolumeException refusal) => refusal switch
    {
        BadRequestException => StatusCodes.Status400BadRequest,
        NotInTrashException or NoSuchVolumeException => StatusCodes.Status404NotFound,
        CatalogAwayException => StatusCodes.Status503ServiceUnavailable,
        _ => StatusCodes.Status409Conflict,
    };

    static Task RefuseAsync(HttpContext http, int status, string detail)
    {
        http.Response.StatusCode = status;
        return WriteAsync(http, "application/problem+json", new Problem(status, detail), AdminJson.Default.Problem);
    }

    static Task WriteAsync(HttpContext http, string contentType, object body, JsonTypeInfo type)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(body, type);
        (http.Response.ContentType, http.Response.ContentLength) = (contentType, json.Length);
        return http.Response.Body.WriteAsync(json).AsTask();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Method} {Path} refused: {Error}")]
    partial void LogRefused(string method, string path, string error);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed unexpectedly")]
    partial void LogUnexpected(Exception e, string method, string path);
}
