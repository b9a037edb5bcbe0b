using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using VolumeManager.Catalog;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>The tokens of those who ask over TLS. For the unix socket alone: a token that was stolen must not be able to make itself another one, that outlives its revocation.</summary>
internal static class TokenRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/tokens", "The tokens by name; what they are themselves is not known", AdminJson.Default.TokensAnswer, async call =>
        {
            var found = new List<TokenView>();
            await call.Daemon.Catalog.ReadAsync(TokenRows.All, row => found.Add(TokenView.Of(TokenRows.Read(row))), call.Cancellation);
            return new TokensAnswer(found);
        }) { IsLocal = true },
        new("POST", "/v1/tokens", "Make a token; the answer alone tells what it is", AdminJson.Default.NewToken, CreateAsync) { IsLocal = true, Request = AdminJson.Default.TokenRequest },
        new("DELETE", "/v1/tokens/{name}", "Revoke a token; it opens nothing any more half a minute later", AdminJson.Default.RemovedToken, async call =>
        {
            var entry = Entry(call, EventKind.TokenRemove, $"token {call["name"]}");
            return await (call.Filters.Flag("dry_run") ? ExistsAsync(call, call["name"]) : call.Daemon.Catalog.ApplyAsync(TokenRows.Delete(call["name"], entry)))
                ? new RemovedToken(call["name"])
                : throw new BadRequestException($"there is no token {Quoted.Text(call["name"])}: see volman token ls", StatusCodes.Status404NotFound);
        }) { IsLocal = true, Query = [QueryParameter.DryRun("Only tell whether there is one to revoke")] },
    ];

    static async Task<object> CreateAsync(Call call)
    {
        var (request, catalog) = (await call.ReadAsync<TokenRequest>(), call.Daemon.Catalog);
        if (!VolumeName.IsValid(request.Name)) throw new BadRequestException($"a token cannot be called {Quoted.Text(request.Name)}: {VolumeName.Rule}");
        if (EnumText.Parse<Role>(request.Role) is null) throw new BadRequestException($"role is {Quoted.Text(request.Role)}: use {EnumText.Choices<Role>()}");
        var expires = request.ExpiresAt?.ToUniversalTime();
        if (expires <= catalog.Now) throw new BadRequestException($"expires_at is {expires:u}, which is over: write a later time, or leave it out");
        if (request.DryRun)
        {
            return await ExistsAsync(call, request.Name) ? throw IsTaken(request.Name) : new NewToken(request.Name, request.Role, expires, null);
        }

        var token = AccessToken.Make();
        var made = new AccessToken
        {
            Name = request.Name,
            Hash = AccessToken.HashOf(token),
            Role = request.Role,
            CreatedAt = catalog.Now,
            CreatedBy = History.Actor ?? "",
            ExpiresAt = expires,
        };
        if (!await catalog.ApplyAsync(TokenRows.Insert(made, Entry(call, EventKind.TokenCreate, $"token {made.Name}, {made.Role}, {(expires is null ? "does not expire" : $"expires {expires:u}")}"))))
        {
            throw IsTaken(made.Name);
        }

        return new NewToken(made.Name, made.Role, made.ExpiresAt, token);
    }

    static async Task<bool> ExistsAsync(Call call, string name)
    {
        var exists = false;
        await call.Daemon.Catalog.ReadAsync(TokenRows.ByName(name), _ => exists = true, call.Cancellation);
        return exists;
    }

    static VolumeException IsTaken(string name) => new($"there is a token {name} already: revoke it with volman token rm, or choose another name");

    static Event Entry(Call call, string kind, string detail) => new() { At = call.Daemon.Catalog.Now, Host = call.Daemon.Host.Name, Kind = kind, Detail = detail, Actor = History.Actor };
}

/// <summary>A token, but for what is secret.</summary>
/// <param name="ExpiresAt">Null: it does not expire.</param>
internal sealed record TokenView(string Name, string Role, DateTime CreatedAt, string CreatedBy, DateTime? ExpiresAt)
{
    internal static TokenView Of(AccessToken token) => new(token.Name, token.Role, token.CreatedAt, token.CreatedBy, token.ExpiresAt);
}

internal sealed record TokensAnswer(IReadOnlyList<TokenView> Tokens);

/// <param name="Role"><c>viewer</c> or <c>operator</c>.</param>
/// <param name="ExpiresAt">Null: it does not expire.</param>
/// <param name="DryRun">Only tell whether it could be made.</param>
internal sealed record TokenRequest([property: JsonRequired] string Name, [property: JsonRequired] string Role, DateTime? ExpiresAt, bool DryRun = false);

/// <param name="Token">What it is, told this once; null in a dry run.</param>
internal sealed record NewToken(string Name, string Role, DateTime? ExpiresAt, string? Token);

internal sealed record RemovedToken(string Name);
