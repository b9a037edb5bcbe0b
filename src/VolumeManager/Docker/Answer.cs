using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace VolumeManager.Docker;

/// <summary>Writes answers: always status 200, a JSON object, its length told.</summary>
internal static class Answer
{
    internal const string ContentType = "application/vnd.docker.plugins.v1.2+json";

    internal static Task TextAsync(HttpContext http, ReadOnlySpan<byte> json)
    {
        var response = http.Response;
        response.ContentType = ContentType;
        response.ContentLength = json.Length;
        json.CopyTo(response.BodyWriter.GetSpan(json.Length));
        response.BodyWriter.Advance(json.Length);
        return response.BodyWriter.FlushAsync().AsTask();
    }

    internal static Task JsonAsync<T>(HttpContext http, T answer, JsonTypeInfo<T> type) => TextAsync(http, JsonSerializer.SerializeToUtf8Bytes(answer, type));

    internal static Task ErrorAsync(HttpContext http, string error) => JsonAsync(http, new ErrorAnswer(error), AnswerJson.Default.ErrorAnswer);

    /// <summary>For what is not of the protocol.</summary>
    internal static Task StatusAsync(HttpContext http, int status)
    {
        http.Response.StatusCode = status;
        http.Response.ContentLength = 0;
        return Task.CompletedTask;
    }
}
