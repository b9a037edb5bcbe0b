using System.Text.Json;
using Microsoft.AspNetCore.Http;
using VolumeManager.Volumes;

namespace VolumeManager.Docker;

/// <summary>The answer to List, written volume by volume into the response: its memory does not grow with the number of volumes.</summary>
internal static class VolumeList
{
    const int FlushAt = 32 * 1024;

    static readonly JsonEncodedText Name = JsonEncodedText.Encode("Name");
    static readonly JsonEncodedText Mountpoint = JsonEncodedText.Encode("Mountpoint");

    /// <summary>Writes what an engine uses of List: names and mount points. Never a null element, which would crash it.</summary>
    internal static async Task WriteAsync(HttpContext http, IEnumerable<Volume> volumes, string mountRoot)
    {
        http.Response.ContentType = Answer.ContentType;
        var body = http.Response.BodyWriter;
        await using var json = new Utf8JsonWriter(body);
        json.WriteStartObject();
        json.WriteStartArray("Volumes");
        foreach (var volume in volumes)
        {
            json.WriteStartObject();
            json.WriteString(Name, volume.Name);
            json.WriteString(Mountpoint, $"{mountRoot}/{volume.Name}");
            json.WriteEndObject();
            if (json.BytesPending < FlushAt) continue;
            json.Flush();
            await body.FlushAsync(http.RequestAborted);
        }

        json.WriteEndArray();
        json.WriteString("Err", "");
        json.WriteEndObject();
        json.Flush();
        await body.FlushAsync(http.RequestAborted);
    }
}
