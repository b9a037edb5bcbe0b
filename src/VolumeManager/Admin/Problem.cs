using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using VolumeManager.Catalog;
using VolumeManager.Hosts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>Why a request was refused (RFC 9457).</summary>
/// <param name="Type"><c>about:blank</c>: the status says what kind of problem it is.</param>
/// <param name="Title">The status in words.</param>
/// <param name="Detail">What, why and what to do, in a sentence.</param>
internal sealed record Problem(string Type, string Title, int Status, string Detail)
{
    internal const string ContentType = "application/problem+json";

    internal static Problem Of(int status, string detail) => new("about:blank", ReasonPhrases.GetReasonPhrase(status), status, detail);

    internal static int StatusOf(VolumeException refusal) => refusal switch
    {
        BadRequestException bad => bad.Status,
        NotInTrashException or NoSuchVolumeException or NoSuchHostException => StatusCodes.Status404NotFound,
        ChangedMeanwhileException => StatusCodes.Status412PreconditionFailed,
        CatalogAwayException => StatusCodes.Status503ServiceUnavailable,
        _ => StatusCodes.Status409Conflict,
    };

    internal static Task WriteAsync(HttpContext http, int status, string detail)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(Of(status, detail), AdminJson.Default.Problem);
        http.Response.StatusCode = status;
        (http.Response.ContentType, http.Response.ContentLength) = (ContentType, json.Length);
        return http.Response.Body.WriteAsync(json).AsTask();
    }
}
