using System.Text.Json;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>What `docker volume inspect` tells: the engine's own part, and volman's below Status.</summary>
internal sealed class InspectedVolume(string json)
{
    readonly JsonElement _volume = JsonElement.Parse(json);

    public string? Scope => Text(_volume, "Scope");

    /// <summary>A label that the engine keeps: from `volume create --label`.</summary>
    public string? EngineLabel(string key) => Text(_volume, "Labels", key);

    /// <summary>A label that volman keeps: from `volume create --opt label.key=…`.</summary>
    public string? Label(string key) => Text(_volume, "Status", "Labels", key);

    public string? Option(string key) => Text(_volume, "Status", "Options", key);

    public string? CreatedOnHost => Text(_volume, "Status", "CreatedOnHost");

    /// <summary>How often a host has taken the volume from another, counted from 1.</summary>
    public string? Epoch => Text(_volume, "Status", "Epoch");

    /// <summary>Since when volman has had no word from PostgreSQL; null when what it tells is up to date.</summary>
    public string? Stale => Text(_volume, "Status", "Stale");

    /// <summary>The hosts that use it, in order, with a word for those that are not heard of: `host1 host3(lost)`.</summary>
    public string Holders => Below(_volume, "Status", "Holders") is { ValueKind: JsonValueKind.Array } holders
        ? string.Join(' ', holders.EnumerateArray().Select(HolderOf).Order(StringComparer.Ordinal))
        : "";

    public override string ToString() => json;

    static string HolderOf(JsonElement holder) => Text(holder, "State") is null or "live" ? $"{Text(holder, "Host")}" : $"{Text(holder, "Host")}({Text(holder, "State")})";

    static string? Text(JsonElement element, params ReadOnlySpan<string> keys) => Below(element, keys)?.ToString();

    static JsonElement? Below(JsonElement element, params ReadOnlySpan<string> keys)
    {
        foreach (var key in keys)
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(key, out element))
                return null;
        }
        return element.ValueKind == JsonValueKind.Null ? null : element;
    }
}
