namespace VolumeManager.Catalog;

/// <summary>A bearer token of the admin API (RFC 6750): one row of the table <c>access_tokens</c>.</summary>
internal sealed class AccessToken
{
    /// <summary>Whose it is, for the history.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 of the token in hexadecimal digits: a random one of 256 bits needs no salt. The token itself is written nowhere.</summary>
    public required string Hash { get; init; }

    /// <summary><c>viewer</c>, who may ask, or <c>operator</c>, who may change.</summary>
    public required string Role { get; init; }

    /// <summary>UTC.</summary>
    public required DateTime CreatedAt { get; init; }

    public required string CreatedBy { get; init; }

    /// <summary>Null: it does not expire.</summary>
    public DateTime? ExpiresAt { get; init; }
}
