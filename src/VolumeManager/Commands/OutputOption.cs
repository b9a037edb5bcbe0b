using System.CommandLine;

namespace VolumeManager.Commands;

/// <summary>How a verb that lists something tells it.</summary>
internal static class OutputOption
{
    internal static Option<string> Make()
    {
        var output = new Option<string>("--output") { Description = "table, for people, or json, for programs", HelpName = "format", DefaultValueFactory = _ => "table" };
        output.AcceptOnlyFromAmong("table", "json");
        return output;
    }
}
