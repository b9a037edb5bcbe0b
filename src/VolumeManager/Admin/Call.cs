using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>One request to a route.</summary>
/// <param name="Filters">What follows its question mark; all of it is what the route takes.</param>
/// <param name="Cancellation">Who asked has gone, or the route's deadline is over.</param>
internal sealed record Call(HttpContext Http, Route Route, HostDaemon Daemon, QueryFilters Filters, CancellationToken Cancellation)
{
    /// <summary>What stands in the path at the place of <c>{name}</c>.</summary>
    internal string this[string name] => Route.Segment(Http.Request.Path.Value!.Split('/'), name);

    /// <summary>The body, of the route's type.</summary>
    /// <exception cref="BadRequestException">It is not what the route takes.</exception>
    internal async Task<T> ReadAsync<T>()
    {
        var type = (JsonTypeInfo<T>)Route.Request!;
        if (!HasBody(Http) && Route.IsRequestOptional) return JsonSerializer.Deserialize("{}"u8, type)!;
        if (!Http.Request.HasJsonContentType()) throw new BadRequestException("the request's Content-Type is not application/json: send a JSON object, and say so", StatusCodes.Status415UnsupportedMediaType);
        try
        {
            return await JsonSerializer.DeserializeAsync(Http.Request.Body, type, Cancellation) ?? throw new BadRequestException("the request is null: send a JSON object");
        }
        catch (JsonException e)
        {
            throw new BadRequestException($"the request is not the JSON object of this route ({e.Message.ReplaceLineEndings(" ")})");
        }
        catch (BadHttpRequestException e)
        {
            throw new BadRequestException(
                e.StatusCode == StatusCodes.Status413PayloadTooLarge ? $"the request is longer than {AdminApi.MaxRequestLength} bytes: send a shorter one" : $"the request was not read to its end ({e.Message.TrimEnd('.')})", e.StatusCode);
        }
    }

    /// <summary>What If-Match asks of a thing: that it still is as it was when who asks last saw it. Null when nothing is asked.</summary>
    /// <param name="view">What a GET would answer of it.</param>
    /// <exception cref="BadRequestException">It cannot be read.</exception>
    internal Func<TThing, bool>? Match<TThing, TView>(Func<TThing, TView> view, JsonTypeInfo<TView> type)
    {
        var given = Http.Request.Headers.IfMatch;
        if (given.Count == 0) return null;
        // What cannot be read is a condition still, and must not be taken for none.
        if (!EntityTagHeaderValue.TryParseStrictList(given, out var wanted)) throw new BadRequestException($"If-Match is {Quoted.Text(given.ToString())}, which is no ETag: send the one that GET has answered, with its quotes");
        if (wanted.Any(w => w.Equals(EntityTagHeaderValue.Any))) return null;
        return now =>
        {
            var tag = AdminApi.ETagOf(JsonSerializer.SerializeToUtf8Bytes(view(now), type));
            return wanted.Any(w => w.Compare(tag, useStrongComparison: true));
        };
    }

    internal static bool HasBody(HttpContext http) => http.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody == true;
}

/// <summary>The request is not what the route takes.</summary>
internal sealed class BadRequestException(string message, int status = StatusCodes.Status400BadRequest) : VolumeException(message)
{
    internal int Status => status;
}
