using System.Text.Json;

namespace VolumeManager.EndToEnd.Calls;

/// <summary>One request that an engine sent to its volume plugin.</summary>
internal sealed record PluginCall(string Path, string? Name, string? Id, IReadOnlyDictionary<string, string> Options)
{
    string Verb => Path[(Path.IndexOf('.', StringComparison.Ordinal) + 1)..];

    /// <summary>The call as the tables of the protocol write it; an id becomes the letter that <paramref name="letterOf"/> gives it.</summary>
    public string Short(Func<string, char> letterOf) => Verb switch
    {
        "Create" when Options.Count > 0 => $"C({string.Join(',', Options.Select(option => $"{option.Key}={option.Value}"))})",
        "Mount" or "Unmount" when Id is { Length: > 0 } id => $"{Verb[0]}({letterOf(id)})",
        "Activate" or "Capabilities" => Verb,
        _ => Verb[..1],
    };

    /// <summary>A retried request has an empty body: it shows as a call without a name.</summary>
    public static PluginCall Parse(string path, ReadOnlySpan<byte> body)
    {
        if (body.IsEmpty || JsonElement.Parse(body) is not { ValueKind: JsonValueKind.Object } request)
            return new(path, Name: null, Id: null, new SortedDictionary<string, string>());
        return new(path, Text(request, "Name"), Text(request, "ID"), OptionsOf(request));
    }

    static string? Text(JsonElement request, string key) => request.TryGetProperty(key, out var value) ? value.GetString() : null;

    static SortedDictionary<string, string> OptionsOf(JsonElement request)
    {
        var options = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (request.TryGetProperty("Opts", out var sent) && sent.ValueKind == JsonValueKind.Object)
        {
            foreach (var option in sent.EnumerateObject())
                options[option.Name] = option.Value.ToString();
        }
        return options;
    }
}
