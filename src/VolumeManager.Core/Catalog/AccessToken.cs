using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

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

    /// <summary>By which scanners of source code and logs know one.</summary>
    internal const string Prefix = "volman_";

    // 32 bytes in base64url.
    const int Length = 7 + 43;

    /// <summary>A new token, to be told once.</summary>
    internal static string Make() => Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    /// <summary>Whether a text can be a token at all.</summary>
    internal static bool IsOne(string text) => text.Length == Length && text.StartsWith(Prefix, StringComparison.Ordinal) && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');

    internal static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
