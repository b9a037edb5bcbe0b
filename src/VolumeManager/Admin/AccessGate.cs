using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Admin;

/// <summary>Who asks, and what they may.</summary>
/// <param name="Actor">For the history.</param>
/// <param name="IsLocal">Whether over the unix socket.</param>
/// <param name="IsUnsure">Whether the token may have been revoked since, for the catalog is away.</param>
internal sealed record Caller(string Actor, Role Role, bool IsLocal, bool IsUnsure = false);

/// <summary>Lets those in over TLS who have a token (RFC 6750), and not more often than is good for the others.</summary>
internal sealed partial class AccessGate(Task<HostDaemon> opening, Timings timings, ILogger<AccessGate> log)
{
    // By hash. Known ones only: what somebody makes up takes no memory.
    readonly ConcurrentDictionary<string, (AccessToken Token, long ReadAt)> _known = new(StringComparer.Ordinal);

    // Their clocks tick ten times a second: not where nobody asks over TLS.
    readonly Lazy<RateLimits> _limits = new();

    /// <returns>Who asks; null when they were refused, and told.</returns>
    internal async Task<Caller?> AdmitAsync(HttpContext http)
    {
        if (AdminConnection.Of(http)?.User is { } user) return new Caller(user, Role.Operator, IsLocal: true);
        var address = http.Connection.RemoteIpAddress ?? IPAddress.None;
        if (_limits.Value.AddressWait(address) is { } later) return await LimitAsync(http, later, "this address asks too often");
        if (http.Request.Headers.Authorization is not [{ } header]) return await ChallengeAsync(http, "", "a token is needed: send Authorization: Bearer and a token of volman token create");
        if (!opening.IsCompletedSuccessfully)
        {
            await Problem.WriteAsync(http, StatusCodes.Status503ServiceUnavailable, "volman is starting: its catalog is being opened");
            return null;
        }

        var token = AuthenticationHeaderValue.TryParse(header, out var value) && string.Equals(value.Scheme, "Bearer", StringComparison.OrdinalIgnoreCase) ? value.Parameter ?? "" : "";
        var hash = AccessToken.HashOf(token);
        var isFresh = _known.TryGetValue(hash, out var known) && timings.Clock.GetElapsedTime(known.ReadAt) < timings.TokenCache;
        // What is known already need not be guessed: who is behind the same address as somebody who guesses goes on.
        if (!isFresh && _limits.Value.FailureWait(address) is { } wait) return await LimitAsync(http, wait, "there were too many wrong tokens from this address");
        var daemon = await opening;
        var isUnsure = false;
        AccessToken? found = known.Token;
        if (!isFresh) (found, isUnsure) = await FindAsync(daemon, token, hash, http.RequestAborted);
        if (found is null && isUnsure)
        {
            await Problem.WriteAsync(http, StatusCodes.Status503ServiceUnavailable, "the cluster's catalog is away, and this token was not seen lately: try again when it is back, or ask over the unix socket");
            return null;
        }

        if (found is null || found.ExpiresAt <= daemon.Catalog.Now || EnumText.Parse<Role>(found.Role) is not { } role)
        {
            _limits.Value.CountFailure(address);
            LogRefused(address);
            return await ChallengeAsync(http, "invalid_token", "this token is not known, has expired or was revoked: see volman token ls");
        }

        return _limits.Value.TokenWait(found.Name) is { } soon ? await LimitAsync(http, soon, $"token {found.Name} asks too often") : new Caller($"token {found.Name}", role, IsLocal: false, isUnsure);
    }

    /// <returns>The token, null if it is none; and whether that could not be asked.</returns>
    async Task<(AccessToken? Token, bool IsUnsure)> FindAsync(HostDaemon daemon, string token, string hash, CancellationToken cancellation)
    {
        if (!AccessToken.IsOne(token)) return (null, false);
        try
        {
            if (daemon.Catalog.StaleSince is not null) return (Lately(hash), true);
            AccessToken? found = null;
            await daemon.Catalog.ReadAsync(TokenRows.ByHash(hash), row => found = TokenRows.Read(row), cancellation);
            if (found is null) _known.TryRemove(hash, out _);
            else _known[hash] = (found, timings.Clock.GetTimestamp());
            return (found, false);
        }
        catch (CatalogAwayException)
        {
            return (Lately(hash), true);
        }
    }

    AccessToken? Lately(string hash) => _known.TryGetValue(hash, out var known) && timings.Clock.GetElapsedTime(known.ReadAt) < timings.TokenAway ? known.Token : null;

    /// <summary>Whether the caller may use the route; if not they were told.</summary>
    internal static async Task<bool> MayAsync(HttpContext http, Caller caller, Route route)
    {
        if (route.IsLocal && !caller.IsLocal)
        {
            await Problem.WriteAsync(http, StatusCodes.Status403Forbidden, $"{route.Method} {route.Path} is for root on the host alone: ask over the admin socket there");
            return false;
        }

        if (caller.Role < route.Role)
        {
            http.Response.Headers.WWWAuthenticate = $"Bearer realm=\"volman\", error=\"insufficient_scope\", scope=\"{EnumText.Of(route.Role)}\"";
            await Problem.WriteAsync(http, StatusCodes.Status403Forbidden, $"{caller.Actor} has the role {EnumText.Of(caller.Role)}, and {route.Method} {route.Path} is for the role {EnumText.Of(route.Role)}");
            return false;
        }

        if (caller.IsUnsure && route.Role > Role.Viewer)
        {
            await Problem.WriteAsync(http, StatusCodes.Status503ServiceUnavailable, "the cluster's catalog is away, and with it the word who may change something: try again when it is back");
            return false;
        }

        return true;
    }

    /// <summary>A turn to be answered, for those who ask over TLS; null when there is none, and they were told.</summary>
    internal async Task<IDisposable?> TakeTurnAsync(HttpContext http, Route route)
    {
        var turn = await _limits.Value.TakeTurnAsync(route, http.RequestAborted);
        if (turn.IsAcquired) return turn;
        await LimitAsync(http, TimeSpan.FromSeconds(1), "too much is asked at a time");
        return null;
    }

    static async Task<Caller?> ChallengeAsync(HttpContext http, string error, string detail)
    {
        http.Response.Headers.WWWAuthenticate = $"Bearer realm=\"volman\"{(error.Length > 0 ? $", error=\"{error}\"" : "")}";
        await Problem.WriteAsync(http, StatusCodes.Status401Unauthorized, detail);
        return null;
    }

    static async Task<Caller?> LimitAsync(HttpContext http, TimeSpan wait, string reason)
    {
        var seconds = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds));
        http.Response.Headers.RetryAfter = $"{seconds}";
        await Problem.WriteAsync(http, StatusCodes.Status429TooManyRequests, $"{reason}: try again in {seconds} s");
        return null;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A wrong token came from {Address}")]
    partial void LogRefused(IPAddress address);
}
