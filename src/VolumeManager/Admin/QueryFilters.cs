using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace VolumeManager.Admin;

/// <summary>What follows the question mark of a request. Each key once, and none that the route does not know: a filter that is misspelt must not look like one that fits all.</summary>
internal sealed class QueryFilters(IQueryCollection query)
{
    /// <exception cref="BadRequestException">There is another one.</exception>
    internal void CheckKnown(params string[] known)
    {
        if (query.Keys.FirstOrDefault(key => !known.Contains(key)) is { } unknown) throw new BadRequestException($"{unknown} is no filter of this route: use {string.Join(", ", known)}");
    }

    /// <exception cref="BadRequestException">It is there more than once.</exception>
    internal string? Value(string key) => query[key] switch
    {
        { Count: 0 } => null,
        { Count: 1 } one => one[0] is { Length: > 0 } value ? value : throw new BadRequestException($"{key} is empty: give it a value, or leave it out"),
        _ => throw new BadRequestException($"{key} is there more than once: give it one value"),
    };

    /// <exception cref="BadRequestException">It is not a number from 1 to <paramref name="most"/>.</exception>
    internal int Number(string key, int otherwise, int most) => Value(key) is not { } text ? otherwise
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1 && number <= most ? number
        : throw new BadRequestException($"{key} is \"{text}\": write a number from 1 to {most}");
}

/// <summary>The request is not what the route takes.</summary>
internal sealed class BadRequestException(string message) : VolumeException(message);
