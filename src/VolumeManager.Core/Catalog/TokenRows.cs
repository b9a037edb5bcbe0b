using System.Data.Common;

namespace VolumeManager.Catalog;

/// <summary>The statements about the tokens of the admin API.</summary>
internal static class TokenRows
{
    internal static FormattableString All => $"SELECT name, hash, role, created_at, created_by, expires_at FROM access_tokens ORDER BY name";

    internal static FormattableString ByHash(string hash) => $"SELECT name, hash, role, created_at, created_by, expires_at FROM access_tokens WHERE hash = {hash}";

    internal static FormattableString ByName(string name) => $"SELECT name FROM access_tokens WHERE name = {name}";

    internal static AccessToken Read(DbDataReader row) => new()
    {
        Name = row.GetString(0),
        Hash = row.GetString(1),
        Role = row.GetString(2),
        CreatedAt = row.GetUtcOrEpoch(3),
        CreatedBy = row.GetString(4),
        ExpiresAt = row.IsDBNull(5) ? null : row.GetUtcOrEpoch(5),
    };

    /// <summary>Adds a token, unless there is one of its name.</summary>
    internal static Change Insert(AccessToken token, Event entry) => Change.Quiet(
        $"""
        INSERT INTO access_tokens (name, hash, role, created_at, created_by, expires_at)
        VALUES ({token.Name}, {token.Hash}, {token.Role}, {token.CreatedAt}, {token.CreatedBy}, {TypedNull.Or(token.ExpiresAt)})
        ON CONFLICT DO NOTHING
        """,
        [AppendIf(entry, $"SELECT 1 FROM access_tokens WHERE hash = {token.Hash}")]);

    /// <summary>Removes a token, if there is one of that name.</summary>
    internal static Change Delete(string name, Event entry) => Change.Quiet(
        AppendIf(entry, $"SELECT 1 FROM access_tokens WHERE name = {name}"), [$"DELETE FROM access_tokens WHERE name = {name}"]);

    static FormattableString AppendIf(Event e, FormattableString condition) => System.Runtime.CompilerServices.FormattableStringFactory.Create(
        "INSERT INTO events (operation, at, host, kind, detail, actor) SELECT {1}, {2}, {3}, {4}, {5}, {6} WHERE EXISTS (" + condition.Format + ") ON CONFLICT DO NOTHING",
        [condition.GetArgument(0), TypedNull.Or(e.Operation), e.At, e.Host, e.Kind, TypedNull.Or(e.Detail), TypedNull.Or(e.Actor)]);
}
