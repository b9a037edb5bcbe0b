using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>What an operator can ask and order: JSON over HTTP on a socket of its own. Finds the route, and is the one place where an exception becomes a problem.</summary>
internal sealed partial class AdminApi(Task<HostDaemon> opening, AccessGate gate, ILogger<AdminApi> log)
{
    internal const long MaxRequestLength = 1 << 20;

    internal async Task HandleAsync(HttpContext http)
    {
        http.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize = MaxRequestLength;
        try
        {
            await RouteAsync(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            http.Abort();
        }
        catch (VolumeException e)
        {
            LogRefused(http.Request.Method, http.Request.Path, e.Message);
            await RefuseAsync(http, Problem.StatusOf(e), e.Message);
        }
#pragma warning disable CA1031 // Whatever went wrong, who asked must hear of it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogUnexpected(e, http.Request.Method, http.Request.Path);
            await RefuseAsync(http, StatusCodes.Status500InternalServerError, $"this failed unexpectedly ({e.Message}): see volman's log");
        }
    }

    async Task RouteAsync(HttpContext http)
    {
        if (await gate.AdmitAsync(http) is not { } caller) return;
        var path = http.Request.Path.Value ?? "";
        var segments = path.Split('/');
        var there = path.Any(char.IsControl) ? [] : Array.FindAll(AdminRoutes.All, r => r.Fits(segments));
        if (Array.Find(there, r => r.Method == http.Request.Method) is { } route)
        {
            if (!await AccessGate.MayAsync(http, caller, route)) return;
            using var turn = caller.IsLocal ? null : await gate.TakeTurnAsync(http, route);
            if (turn is null && !caller.IsLocal) return;
            History.Actor = caller.Actor;
            await ServeAsync(http, route);
        }
        else if (there.Length > 0)
        {
            http.Response.Headers.Allow = string.Join(", ", there.Select(r => r.Method));
            await Problem.WriteAsync(http, StatusCodes.Status405MethodNotAllowed, $"{Quoted.Text(http.Request.Method)} is not for {path}: use {string.Join(" or ", there.Select(r => r.Method))}");
        }
        else
        {
            await Problem.WriteAsync(http, StatusCodes.Status404NotFound, $"there is no {Quoted.Text(path)}: see the admin API in docs/api.md");
        }
    }

    /// <summary>What changes something goes on to a consistent end whatever happens here; only the waiting for it is bounded.</summary>
    async Task ServeAsync(HttpContext http, Route route)
    {
        var filters = new QueryFilters(http.Request.Query, route.Query);
        if (route.Request is null && Call.HasBody(http)) throw new BadRequestException($"{route.Method} {route.Path} takes no body: send none");
        if (!route.Waits && !opening.IsCompletedSuccessfully)
        {
            await Problem.WriteAsync(http, StatusCodes.Status503ServiceUnavailable, "volman is starting: its catalog is being opened");
            return;
        }

        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        cancellation.CancelAfter(route.Deadline);
        try
        {
            var daemon = await opening.WaitAsync(cancellation.Token);
            var handling = route.Handle(new Call(http, route, daemon, filters, cancellation.Token));
            var answer = await WaitAsync(handling, cancellation.Token);
            await WriteAsync(http, route, answer, cancellation.Token);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            await RefuseAsync(http, StatusCodes.Status504GatewayTimeout, $"this did not finish within {route.Deadline.TotalSeconds:0} s, and may go on: see volman trash ls");
        }
    }

    static async Task<object> WaitAsync(Task<object> handling, CancellationToken cancellation)
    {
        try
        {
            return await handling.WaitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            _ = DropAsync();
            throw;
        }

        // It may come all the same, and what it keeps open must not stay so.
        async Task DropAsync()
        {
            await ((Task)handling).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (handling.IsCompletedSuccessfully && await handling is StreamedAnswer { Drop: { } drop }) await drop();
        }
    }

    /// <summary>What has begun to be answered cannot be refused any more, only broken off.</summary>
    static Task RefuseAsync(HttpContext http, int status, string detail)
    {
        if (!http.Response.HasStarted) return Problem.WriteAsync(http, status, detail);
        http.Abort();
        return Task.CompletedTask;
    }

    static Task WriteAsync(HttpContext http, Route route, object answer, CancellationToken cancellation)
    {
        if (answer is StreamedAnswer streamed)
        {
            http.Response.ContentType = streamed.ContentType;
            return streamed.WriteAsync(http, cancellation);
        }

        var json = JsonSerializer.SerializeToUtf8Bytes(answer, route.Answers);
        if (route.IsTagged)
        {
            var tag = ETagOf(json);
            http.Response.Headers.ETag = tag.ToString();
            if (http.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Compare(tag, useStrongComparison: false) || known.Equals(EntityTagHeaderValue.Any)))
            {
                http.Response.StatusCode = StatusCodes.Status304NotModified;
                return Task.CompletedTask;
            }
        }

        (http.Response.ContentType, http.Response.ContentLength) = (route.ContentType, json.Length);
        return http.Response.Body.WriteAsync(json, cancellation).AsTask();
    }

    /// <summary>The same for the same answer.</summary>
    internal static EntityTagHeaderValue ETagOf(ReadOnlySpan<byte> json) => new($"\"{Base64Url.EncodeToString(SHA256.HashData(json).AsSpan(0, 12))}\"");

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Method} {Path} refused: {Error}")]
    partial void LogRefused(string method, string path, string error);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed unexpectedly")]
    partial void LogUnexpected(Exception e, string method, string path);
}
