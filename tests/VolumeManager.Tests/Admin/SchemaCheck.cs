using System.Text.Json;

namespace VolumeManager.Tests.Admin;

/// <summary>Checks values against the words of JSON Schema that the admin API's document uses. One that is not known here fails: then it must be taught.</summary>
internal sealed class SchemaCheck(JsonElement document)
{
    /// <summary>What is wrong; empty when nothing is.</summary>
    internal IReadOnlyList<string> Faults(JsonElement schema, JsonElement value)
    {
        var faults = new List<string>();
        Check(schema, value, "$", faults);
        return faults;
    }

    void Check(JsonElement schema, JsonElement value, string path, List<string> faults)
    {
        foreach (var word in schema.EnumerateObject())
        {
            switch (word.Name)
            {
                case "$ref":
                    Check(Resolve(word.Value.GetString()!), value, path, faults);
                    break;
                case "type":
                    if (!Types(word.Value).Any(type => Is(type, value))) faults.Add($"{path} is {value.ValueKind}, not {word.Value}");
                    break;
                case "anyOf":
                    if (!word.Value.EnumerateArray().Any(one => Faults(one, value).Count == 0)) faults.Add($"{path} is none of {word.Value}");
                    break;
                case "required":
                    if (value.ValueKind == JsonValueKind.Object) faults.AddRange(word.Value.EnumerateArray().Where(name => !value.TryGetProperty(name.GetString()!, out _)).Select(name => $"{path} has no {name}"));
                    break;
                case "properties":
                    if (value.ValueKind != JsonValueKind.Object) break;
                    foreach (var property in value.EnumerateObject())
                    {
                        if (word.Value.TryGetProperty(property.Name, out var known)) Check(known, property.Value, $"{path}.{property.Name}", faults);
                        else faults.Add($"{path}.{property.Name} is not told of");
                    }

                    break;
                case "additionalProperties":
                    if (word.Value.ValueKind == JsonValueKind.False) break;
                    foreach (var property in value.EnumerateObject()) Check(word.Value, property.Value, $"{path}.{property.Name}", faults);
                    break;
                case "items":
                    if (value.ValueKind != JsonValueKind.Array) break;
                    foreach (var item in value.EnumerateArray()) Check(word.Value, item, $"{path}[]", faults);
                    break;
                case "format":
                    if (value.ValueKind == JsonValueKind.String && !(word.Value.GetString() switch { "date-time" => value.TryGetDateTime(out _), "uuid" => value.TryGetGuid(out _), _ => false }))
                    {
                        faults.Add($"{path} is no {word.Value}: {value}");
                    }

                    break;
                case "default":
                    break;
                default:
                    faults.Add($"{path}: the word {word.Name} is not known to this test");
                    break;
            }
        }
    }

    internal JsonElement Resolve(string reference) => reference.Split('/').Skip(1).Aggregate(document, (at, name) => at.GetProperty(name));

    static IEnumerable<string> Types(JsonElement type) => type.ValueKind == JsonValueKind.Array ? type.EnumerateArray().Select(t => t.GetString()!) : [type.GetString()!];

    static bool Is(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        "number" => value.ValueKind == JsonValueKind.Number,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        _ => false,
    };
}
