using System.Buffers;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace VolumeManager.Docker;

/// <summary>A request's body: what it says, or what is wrong with it.</summary>
internal readonly record struct ReadRequest(VolumeRequest Body, string? Fault);

/// <summary>Reads bodies by hand: they carry no Content-Type, which ASP.NET's own binding insists on.</summary>
internal static class RequestBody
{
    // Options of 1 MiB must be heard, if only to be refused.
    const long MaxLength = 4 << 20;

    /// <returns>Null for an empty body.</returns>
    internal static async ValueTask<ReadRequest?> ReadAsync(HttpRequest request)
    {
        var reader = request.BodyReader;
        while (true)
        {
            // Not cancelled when the engine goes: what it sent whole is heard, an Unmount above all.
            var read = await reader.ReadAsync(CancellationToken.None);
            if (read.IsCompleted || read.Buffer.Length > MaxLength)
            {
                var parsed = Parse(read.Buffer);
                reader.AdvanceTo(read.Buffer.End);
                return parsed;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    internal static ReadRequest? Parse(in ReadOnlySequence<byte> body)
    {
        if (body.Length > MaxLength) return new ReadRequest(new VolumeRequest(), $"the request is longer than {MaxLength} bytes: pass fewer or shorter options");
        var json = new Utf8JsonReader(body);
        try
        {
            // The engine's decoder reads one value and leaves what follows; so do we.
            if (!json.Read()) return null;
            return JsonSerializer.Deserialize(ref json, RequestJson.Default.VolumeRequest) is { } request
                ? new ReadRequest(request, null)
                : new ReadRequest(new VolumeRequest(), "the request is null: send a JSON object");
        }
        catch (JsonException e)
        {
            return IsBlank(body) ? null : new ReadRequest(new VolumeRequest(), $"the request is not the JSON object of the volume plugin protocol ({e.Message})");
        }
    }

    static bool IsBlank(in ReadOnlySequence<byte> body)
    {
        foreach (var part in body)
        {
            if (part.Span.ContainsAnyExcept(" \t\r\n"u8)) return false;
        }

        return true;
    }
}
