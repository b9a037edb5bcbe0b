using System.Globalization;
using System.Text.Json.Nodes;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>The kinds of values that may follow a question mark.</summary>
internal enum QueryKind
{
    Text,
    Number,
    Flag,
    Time,
    Word,
}

/// <summary>One key that a route takes behind its question mark.</summary>
/// <param name="Description">What it does, in a sentence without a full stop.</param>
internal sealed record QueryParameter(string Name, QueryKind Kind, string Description)
{
    /// <summary>What a number is when it is not given.</summary>
    internal int Otherwise { get; private init; }

    internal int Most { get; private init; }

    /// <summary>The only values of a word.</summary>
    internal IReadOnlyList<string> Words { get; private init; } = [];

    internal static QueryParameter Text(string name, string description) => new(name, QueryKind.Text, description);

    internal static QueryParameter Number(string name, string description, int otherwise, int most) => new(name, QueryKind.Number, description) { Otherwise = otherwise, Most = most };

    /// <summary><c>true</c> or <c>false</c>, which it is when it is not given.</summary>
    internal static QueryParameter Flag(string name, string description) => new(name, QueryKind.Flag, description);

    /// <summary>For requests without a body: the others have it there.</summary>
    internal static QueryParameter DryRun(string description) => Flag("dry_run", description);

    /// <summary>A time of RFC 3339, such as <c>2026-11-01T00:00:00Z</c>.</summary>
    internal static QueryParameter Time(string name, string description) => new(name, QueryKind.Time, description);

    internal static QueryParameter OneOf(string name, string description, params string[] words) => new(name, QueryKind.Word, description) { Words = words };

    /// <summary>How many at most in one answer, and which ones follow: what a list in pages takes.</summary>
    internal static QueryParameter[] Page => [Number("limit", "How many at most in this page", 1000, 10_000), Text("after", "The next of the page before: what follows it")];

    /// <summary>In words of JSON Schema.</summary>
    internal JsonObject Schema => Kind switch
    {
        QueryKind.Number => new() { ["type"] = "integer", ["minimum"] = 1, ["maximum"] = Most, ["default"] = Otherwise },
        QueryKind.Flag => new() { ["type"] = "boolean", ["default"] = false },
        QueryKind.Time => new() { ["type"] = "string", ["format"] = "date-time" },
        QueryKind.Word => new() { ["type"] = "string", ["enum"] = new JsonArray([.. Words.Select(w => JsonValue.Create(w))]) },
        _ => new() { ["type"] = "string", ["minLength"] = 1 },
    };

    /// <exception cref="BadRequestException">The value is none of this kind.</exception>
    internal void Check(string value)
    {
        var isFine = Kind switch
        {
            QueryKind.Number => TryNumber(value, out _),
            QueryKind.Flag => value is "true" or "false",
            QueryKind.Time => TryTime(value, out _),
            QueryKind.Word => Words.Contains(value),
            _ => !value.Contains('\0', StringComparison.Ordinal),
        };
        if (isFine) return;
        throw new BadRequestException($"{Name} is {Quoted.Text(value)}: " + Kind switch
        {
            QueryKind.Number => $"write a number from 1 to {Most}",
            QueryKind.Flag => "write true or false",
            QueryKind.Time => "write a time such as 2026-11-01T00:00:00Z",
            QueryKind.Word => $"use {string.Join(", ", Words)}",
            _ => "write a text without null characters",
        });
    }

    internal bool TryNumber(string value, out int number) => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number >= 1 && number <= Most;

    // RFC 3339 is the part of ISO 8601 that says which moment is meant.
    internal static bool TryTime(string value, out DateTime utc)
    {
        var isTime = DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time);
        utc = time.UtcDateTime;
        return isTime && value.Length is >= 20 and <= 40 && value[10] is 'T' or 't' && (value[^1] is 'Z' or 'z' || value[^6] is '+' or '-');
    }
}
