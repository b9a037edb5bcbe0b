using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace VolumeManager.Commands;

/// <summary>How a verb that tells something tells it: as a table or a text to people, as JSON to programs.</summary>
internal sealed class OutputOption : Option<string>
{
    internal OutputOption(string forPeople = "table")
        : base("--output")
    {
        (Description, HelpName, DefaultValueFactory) = ($"{forPeople}, for people, or json, for programs", "format", _ => forPeople);
        AcceptOnlyFromAmong(forPeople, "json");
    }

    internal bool IsJson(ParseResult parsed) => parsed.GetValue(this) == "json";

    internal void Write<T>(ParseResult parsed, T told, JsonTypeInfo<T> type, Action<T> toPeople)
    {
        if (IsJson(parsed)) Console.WriteLine(JsonSerializer.Serialize(told, type));
        else toPeople(told);
    }
}
