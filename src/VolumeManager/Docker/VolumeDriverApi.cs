using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Docker;

/// <summary>The Docker volume plugin protocol's nine routes, and the one place where an exception becomes <c>{"Err": …}</c>.</summary>
/// <remarks>
/// Rules that the engine makes (moby pkg/plugins/client.go, daemon/volume/drivers): every answer has status 200; requests carry no Content-Type; a POST that is
/// sent again has lost its body; an <c>Err</c> to Get makes the engine forget the volume, so what cannot be known is answered by closing the connection.
/// </remarks>
internal sealed partial class VolumeDriverApi(Task<HostDaemon> opening, Settings settings, EngineGeneration engine, Drain drain, ILogger<VolumeDriverApi> log)
{
    // Below the engine's own 120 s and 60 s: it should hear our reason, and a Mount that it gave up on would never be unmounted.
    readonly TimeSpan _longDeadline = settings.CallDeadline;
    readonly TimeSpan _deadline = TimeSpan.FromTicks(Math.Min(settings.CallDeadline.Ticks, settings.Timings.ShortCall.Ticks));
    readonly bool _isGlobal = settings.Database.Length > 0;

    // Engines send 64 hexadecimal digits.
    const int MaxIdLength = 256;

    internal Task HandleAsync(HttpContext http)
    {
        http.Response.Headers.Connection = "close";
        if (!HttpMethods.IsPost(http.Request.Method)) return Answer.StatusAsync(http, StatusCodes.Status405MethodNotAllowed);
        return http.Request.Path.Value switch
        {
            "/Plugin.Activate" => ActivateAsync(http),
            "/VolumeDriver.Capabilities" => CapabilitiesAsync(http),
            "/VolumeDriver.Get" => TellAsync(http, GetAsync),
            "/VolumeDriver.List" => TellAsync(http, ListAsync),
            "/VolumeDriver.Path" => TellAsync(http, PathAsync),
            "/VolumeDriver.Create" => ChangeAsync(http, EventKind.Create, async (daemon, request, cancellation) =>
            {
                await daemon.Volumes.CreateAsync(request.Name, request.Opts, cancellation);
                return null;
            }),
            "/VolumeDriver.Remove" => ChangeAsync(http, EventKind.Remove, async (daemon, request, cancellation) =>
            {
                await daemon.Volumes.RemoveAsync(request.Name!, cancellation);
                return null;
            }),
            "/VolumeDriver.Mount" => ChangeAsync(http, EventKind.Mount, async (daemon, request, cancellation) =>
                await daemon.Mounts.MountAsync(request.Name!, request.ID ?? "", cancellation),
                undo: (daemon, request) => daemon.Mounts.UnmountAsync(request.Name!, request.ID ?? "")),
            "/VolumeDriver.Unmount" => ChangeAsync(http, EventKind.Unmount, async (daemon, request, _) =>
            {
                await daemon.Mounts.UnmountAsync(request.Name!, request.ID ?? "");
                return null;
            }),
            _ => Answer.StatusAsync(http, StatusCodes.Status404NotFound),
        };
    }

    Task ActivateAsync(HttpContext http)
    {
        engine.Raise(EngineConnection.CallerOf(http));
        return Answer.TextAsync(http, """{"Implements":["VolumeDriver"]}"""u8);
    }

    /// <summary>Engines ask this once, and of a managed plugin, which gets no Activate, before whatever else they ask.</summary>
    Task CapabilitiesAsync(HttpContext http)
    {
        if (EngineConnection.CallerOf(http) is { } caller) engine.Meet(caller);
        return Answer.TextAsync(http, _isGlobal ? """{"Capabilities":{"Scope":"global"}}"""u8 : """{"Capabilities":{"Scope":"local"}}"""u8);
    }

    /// <summary>Answers a question, or closes the connection: whatever fails here must not look like "no such volume".</summary>
    async Task TellAsync(HttpContext http, Func<HttpContext, Task> tell)
    {
        try
        {
            await tell(http);
        }
#pragma warning disable CA1031 // An unknown failure too must not become a status that makes the engine forget.
        catch (Exception e)
#pragma warning restore CA1031
        {
            if (e is CatalogAwayException) LogUntold(http.Request.Path.Value!, e.Message);
            else if (!http.RequestAborted.IsCancellationRequested) LogUnexpected(e, http.Request.Path.Value!, null);
            http.Abort();
        }
    }

    async Task GetAsync(HttpContext http)
    {
        if (await ReadAsync(http) is not { Fault: null } request || await OpenAsync(http) is not { } daemon)
        {
            http.Abort();
            return;
        }

        if (await FindAsync(http, daemon, request.Body.Name) is { } volume)
        {
            var answer = new VolumeAnswer(volume.Name, daemon.Mounts.TargetOf(volume.Name), Rfc3339.Of(volume.CreatedAt), VolumeStatus.Of(volume, daemon));
            await Answer.JsonAsync(http, new GetAnswer(answer, ""), AnswerJson.Default.GetAnswer);
        }
        else
        {
            await Answer.ErrorAsync(http, "no such volume");
        }
    }

    async Task ListAsync(HttpContext http)
    {
        if (await OpenAsync(http) is { } daemon) await VolumeList.WriteAsync(http, await daemon.Catalog.ListAsync(http.RequestAborted), daemon.Host.MountRoot);
        else http.Abort();
    }

    async Task PathAsync(HttpContext http)
    {
        if (await ReadAsync(http) is not { Fault: null } request || await OpenAsync(http) is not { } daemon)
        {
            http.Abort();
            return;
        }

        var volume = await FindAsync(http, daemon, request.Body.Name);
        await Answer.JsonAsync(http, new MountpointAnswer(volume?.IsMountedOn(daemon.Host.Id) == true ? daemon.Mounts.TargetOf(volume.Name) : "", ""), AnswerJson.Default.MountpointAnswer);
    }

    /// <summary>Null when there is none: of a name that no volume can have that is known without looking.</summary>
    static ValueTask<Volume?> FindAsync(HttpContext http, HostDaemon daemon, string? name) =>
        VolumeName.IsValid(name) ? daemon.Catalog.FindAsync(name!, http.RequestAborted) : new((Volume?)null);

    /// <summary>Returns how long a call that changes something may take.</summary>
    internal TimeSpan DeadlineOf(string kind) => kind is EventKind.Create or EventKind.Mount ? _longDeadline : _deadline;

    /// <summary>
    /// Runs what changes something. The change goes on to a consistent end whatever happens here; only the waiting for it is bounded. A call that waited as long as it may is
    /// answered at once, and a stop waits for its change.
    /// </summary>
    /// <param name="undo">Takes back a change that was done when nobody waited for it any more.</param>
    async Task ChangeAsync(
        HttpContext http, string kind, Func<HostDaemon, VolumeRequest, CancellationToken, Task<string?>> change, Func<HostDaemon, VolumeRequest, Task>? undo = null)
    {
        var began = Stopwatch.GetTimestamp();
        if (await ReadAsync(http) is not { } request || !Drain.TryKeep(http))
        {
            http.Abort();
            return;
        }

        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        var deadline = DeadlineOf(kind);
        waiting.CancelAfter(deadline);
        // A stop cancels the change, and then waits for its end as long as a caller does.
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(waiting.Token, drain.Over);
        HostDaemon? daemon = null;
        string error;
        try
        {
            if (request.Fault is not null) throw new VolumeException(request.Fault);
            if (request.Body.Name is null) throw new VolumeException("the request names no volume: send {\"Name\": …}");
            if (request.Body.ID is { } id && (id.Length > MaxIdLength || id.Any(c => char.IsControl(c) || char.IsSurrogate(c)))) throw new VolumeException($"the mount id {Quoted.Text(id)} is not one of an engine's, which have 64 hexadecimal digits: send the engine's own");
            daemon = await opening.WaitAsync(cancellation.Token);
            var work = change(daemon, request.Body, cancellation.Token);
            string? mountpoint;
            try
            {
                mountpoint = await work.WaitAsync(waiting.Token);
                http.RequestAborted.ThrowIfCancellationRequested();
            }
            catch (OperationCanceledException)
            {
                drain.Keep(EndAsync(work, undo is null ? null : () => undo(daemon, request.Body), kind, request.Body.Name));
                throw;
            }

            await (mountpoint is null
                ? Answer.TextAsync(http, """{"Err":""}"""u8)
                : Answer.JsonAsync(http, new MountpointAnswer(mountpoint, ""), AnswerJson.Default.MountpointAnswer));
            return;
        }
        catch (VolumeException e)
        {
            error = e.Message;
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            http.Abort();
            return;
        }
        catch (OperationCanceledException) when (drain.Over.IsCancellationRequested)
        {
            error = $"{kind} of volume {request.Body.Name} was given up because volman is stopping: try again when it runs";
        }
        catch (OperationCanceledException)
        {
            error = $"{kind} of volume {request.Body.Name} did not finish within {deadline.TotalSeconds:0} s: {(daemon is null ? "its disk" : NameOf(daemon, request.Body))} or the catalog's database does not answer; see to them, then try again";
        }
#pragma warning disable CA1031 // Whatever went wrong, the engine must hear of it in its own form.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogUnexpected(e, kind, request.Body.Name);
            error = $"{kind} of volume {request.Body.Name} failed unexpectedly ({e.Message}): see volman's log";
        }

        LogRefused(kind, request.Body.Name, error);
        daemon?.History.RecordFailure(kind, request.Body.Name ?? "", request.Body.ID, error, Stopwatch.GetElapsedTime(began));
        await Answer.ErrorAsync(http, error);
    }

    /// <summary>What the request's volume lies on, or would.</summary>
    static string NameOf(HostDaemon daemon, VolumeRequest request)
    {
        _ = daemon.Catalog.Index.TryFind(request.Name ?? "", out var volume);
        return daemon.Exports.NameOf(volume, request.Opts?.GetValueOrDefault("server"));
    }

    /// <summary>Waits for the end of a change that nobody waits for any longer, and undoes it. What failed or was cancelled has undone itself.</summary>
    async Task EndAsync(Task work, Func<Task>? undo, string kind, string? volume)
    {
        await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!work.IsCompletedSuccessfully || undo is null) return;
        try
        {
            await undo();
        }
#pragma warning disable CA1031 // The caller is gone; the reconciler finds what is left.
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogNotUndone(e, kind, volume);
        }
    }

    /// <summary>The open daemon, or null when it does not open in time: then nothing is known, and nothing may be said.</summary>
    async ValueTask<HostDaemon?> OpenAsync(HttpContext http)
    {
        if (opening.IsCompletedSuccessfully) return await opening;
        try
        {
            return await opening.WaitAsync(_deadline, http.RequestAborted);
        }
#pragma warning disable CA1031 // Why it does not open is told by the daemon as it ends.
        catch (Exception)
#pragma warning restore CA1031
        {
            return null;
        }
    }

    /// <summary>Null for a body that is empty or cut off: a request that was sent again without it, which says nothing.</summary>
    static async ValueTask<ReadRequest?> ReadAsync(HttpContext http)
    {
        try
        {
            return await RequestBody.ReadAsync(http.Request);
        }
        catch (Exception e) when (e is BadHttpRequestException or IOException or OperationCanceledException)
        {
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Kind} of {Volume} refused: {Error}")]
    partial void LogRefused(string kind, string? volume, string error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Route} is not answered: {Reason}")]
    partial void LogUntold(string route, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Kind} of {Volume} could not be undone for a caller that is gone")]
    partial void LogNotUndone(Exception e, string kind, string? volume);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Kind} of {Volume} failed unexpectedly")]
    partial void LogUnexpected(Exception e, string kind, string? volume);
}
