using Microsoft.AspNetCore.Http;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>What follows the question mark of a request. Each key once, and none that the route does not know: a filter that is misspelt must not look like one that fits all.</summary>
internal sealed class QueryFilters
{
    readonly IQueryCollection _query;
    readonly IReadOnlyList<QueryParameter> _known;

    /// <exception cref="BadRequestException">It is not what the route takes.</exception>
    internal QueryFilters(IQueryCollection query, IReadOnlyList<QueryParameter> known)
    {
        (_query, _known) = (query, known);
        foreach (var (key, values) in query)
        {
            var parameter = known.FirstOrDefault(k => k.Name == key) ?? throw new BadRequestException(
                $"{Quoted.Text(key)} is no filter of this route: {(known.Count == 0 ? "it takes none" : $"use {string.Join(", ", known.Select(k => k.Name))}")}");
            if (values.Count > 1) throw new BadRequestException($"{key} is there more than once: give it one value");
            if (values[0] is not { Length: > 0 } value) throw new BadRequestException($"{key} is empty: give it a value, or leave it out");
            parameter.Check(value);
        }
    }

    /// <summary>Null when it is not given.</summary>
    internal string? Value(string key) => _query[key].FirstOrDefault();

    /// <summary>What was given, or else what the route says.</summary>
    internal int Number(string key)
    {
        var parameter = _known.First(k => k.Name == key);
        return Value(key) is { } text && parameter.TryNumber(text, out var number) ? number : parameter.Otherwise;
    }

    internal bool Flag(string key) => Value(key) == "true";

    /// <summary>UTC; null when it is not given.</summary>
    internal DateTime? Time(string key) => Value(key) is { } text && QueryParameter.TryTime(text, out var utc) ? utc : null;

    internal static BadRequestException NoNext() => new("after is not the next of a page: leave it out to begin anew");
}
