using System.CommandLine;
using System.CommandLine.Parsing;

namespace VolumeManager.Commands;

/// <summary>Options of a volume, given as <c>-o key=value</c>.</summary>
internal sealed class VolumeOptions : Option<string[]>
{
    internal VolumeOptions(string description)
        : base("--opt", "-o")
    {
        (Description, HelpName) = (description, "key=value");
        Validators.Add(Check);
    }

    internal static void Check(SymbolResult given)
    {
        foreach (var token in given.Tokens.Where(t => t.Value.IndexOf('=', StringComparison.Ordinal) < 1)) given.AddError($"{token.Value} is no option: write key=value");
    }

    internal Dictionary<string, string?> Of(ParseResult parsed) => Pairs(parsed.GetValue(this) ?? []);

    /// <exception cref="VolumeException">One is there twice.</exception>
    internal static Dictionary<string, string?> Pairs(IEnumerable<string> given)
    {
        var options = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var pair in given.Select(o => o.Split('=', 2)))
        {
            if (!options.TryAdd(pair[0], pair[1])) throw new VolumeException($"the option {pair[0]} is given twice: give it once");
        }

        return options;
    }
}
