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
            var catalog = call.Daemon.Catalog;
            var entry = Entry(call, EventKind.TokenRemove, $"token {call["name"]}");
            return await catalog.ApplyAsync(TokenRows.Delete(call["name"], entry))
                ? new RemovedToken(call["name"])
                : throw new BadRequestException($"there is no token {Quoted.Text(call["name"])}: see volman token ls", StatusCodes.Status404NotFound);
        }) { IsLocal = true },
    ];

    static async Task<object> CreateAsync(Call call)
    {
        var (request, catalog) = (await call.ReadAsync<TokenRequest>(), call.Daemon.Catalog);
        if (!VolumeName.IsValid(request.Name)) throw new BadRequestException($"a token cannot be called {Quoted.Text(request.Name)}: {VolumeName.Rule}");
        if (EnumText.Parse<Role>(request.Role) is null) throw new BadRequestException($"role is {Quoted.Text(request.Role)}: use {EnumText.Choices<Role>()}");
        var expires = request.ExpiresAt?.ToUniversalTime();
        if (expires <= catalog.Now) throw new BadRequestException($"expires_at is {expires:u}, which is over: write a later time, or leave it out");
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
            throw new VolumeException($"there is a token {made.Name} already: revoke it with volman token rm, or choose another name");
        }

        return new NewToken(made.Name, made.Role, made.ExpiresAt, token);
    }

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
internal sealed record TokenRequest([property: JsonRequired] string Name, [property: JsonRequired] string Role, DateTime? ExpiresAt);

/// <param name="Token">What it is, told this once.</param>
internal sealed record NewToken(string Name, string Role, DateTime? ExpiresAt, string Token);

internal sealed record RemovedToken(string Name);
