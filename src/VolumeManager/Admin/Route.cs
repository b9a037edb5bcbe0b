using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace VolumeManager.Admin;

/// <summary>What somebody may do: <c>viewer</c> may ask, <c>operator</c> may change as well.</summary>
internal enum Role
{
    Viewer,
    Operator,
}

/// <summary>One route of the admin API: what is served, and what its OpenAPI document says of it.</summary>
/// <param name="Path">A segment in braces stands for whatever is there: <c>/v1/volumes/{name}</c>.</param>
/// <param name="Summary">What it does, in a sentence without a full stop.</param>
/// <param name="Answers">The type of the answer or, of a streamed one, of each of its lines.</param>
/// <param name="Handle">Returns an object of that type, or a <see cref="StreamedAnswer"/>.</param>
internal sealed record Route(string Method, string Path, string Summary, JsonTypeInfo Answers, Func<Call, Task<object>> Handle)
{
    readonly string[] _segments = Path.Split('/');

    /// <summary>The least role that may use it.</summary>
    internal Role Role { get; init; } = HttpMethods.IsGet(Method) ? Role.Viewer : Role.Operator;

    /// <summary>What may follow its question mark: nothing else does.</summary>
    internal IReadOnlyList<QueryParameter> Query { get; init; } = [];

    /// <summary>The type of the request's body; null when it takes none.</summary>
    internal JsonTypeInfo? Request { get; init; }

    /// <summary>Whether no body means an empty object.</summary>
    internal bool IsRequestOptional { get; init; }

    /// <summary>Whether who asks waits until the catalog is open, or is told at once that it is not.</summary>
    internal bool Waits { get; init; } = true;

    /// <summary>For how long who asks waits. What changes something goes on when that is over, as for an engine.</summary>
    internal TimeSpan Deadline { get; init; } = TimeSpan.FromSeconds(110);

    /// <summary>Whether it is for the unix socket alone, whatever the role.</summary>
    internal bool IsLocal { get; init; }

    /// <summary>Whether it can answer with a <see cref="StreamedAnswer"/>.</summary>
    internal bool IsStreamed => ContentType != "application/json";

    /// <summary>Whether its answers have an ETag.</summary>
    internal bool IsTagged => HttpMethods.IsGet(Method) && !IsStreamed;

    /// <summary>What it answers with; several, separated by commas, when a parameter chooses.</summary>
    internal string ContentType { get; init; } = "application/json";

    internal bool Fits(string[] segments) => _segments.Length == segments.Length && _segments.Zip(segments).All(pair => IsNamed(pair.First) ? pair.Second.Length > 0 : pair.First == pair.Second);

    /// <summary>What stands at the place of <c>{name}</c> in a path that fits.</summary>
    internal string Segment(string[] segments, string name) => segments[Array.IndexOf(_segments, $"{{{name}}}")];

    /// <summary>The names in braces, in their order.</summary>
    internal IEnumerable<string> Names => _segments.Where(IsNamed).Select(s => s[1..^1]);

    static bool IsNamed(string segment) => segment is ['{', .., '}'];
}

/// <summary>An answer that is written as it comes, such as lines of JSON (<c>application/x-ndjson</c>) or of CSV. What fails after its first byte can only be told by breaking it off.</summary>
/// <param name="WriteAsync">Writes the body; may set headers before its first byte. Ends when it is cancelled: nobody may write when the request is over.</param>
/// <param name="Drop">Called instead when nobody waits for it any more: lets go of what is open for it.</param>
internal sealed record StreamedAnswer(string ContentType, Func<HttpContext, CancellationToken, Task> WriteAsync, Func<ValueTask>? Drop = null);
