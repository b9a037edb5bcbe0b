using System.CommandLine.Parsing;
using VolumeManager.Commands;
using Verb = System.CommandLine.Command;

namespace VolumeManager.Tests.Commands;

/// <summary>Every verb shows how it is used, and what it shows is what it takes.</summary>
[Trait("Catalog", "none")]
public sealed class ExamplesTests
{
    static IEnumerable<Verb> Verbs(Verb of) => of.Subcommands.Where(verb => !verb.Hidden).SelectMany(verb => verb.Subcommands.Count == 0 ? [verb] : Verbs(verb));

    [Fact]
    public void Every_verb_has_examples_that_it_takes()
    {
        var volman = RootVerb.Build();
        var verbs = Verbs(volman).ToList();
        Assert.InRange(verbs.Count, 20, 60);
        foreach (var verb in verbs)
        {
            var name = Examples.VerbOf(verb);
            Assert.True(Examples.Of(name).Count > 0, $"volman {name} has no example: add one to {nameof(Examples)}");
            foreach (var example in Examples.Of(name))
            {
                // What a shell does with the rest of the line is its own matter.
                var parsed = volman.Parse(CommandLineParser.SplitCommandLine(example.Split([" | ", " > "], StringSplitOptions.None)[0]).ToArray());
                Assert.True(parsed.Errors.Count == 0, $"volman {example}: {string.Join("; ", parsed.Errors.Select(e => e.Message))}");
                Assert.Equal(name, Examples.VerbOf(parsed.CommandResult.Command));
            }
        }
    }

    [Fact]
    public async Task Help_and_the_manual_page_show_them()
    {
        Assert.EndsWith("Examples:\n  volman volume set shop size=20G label.team=web\n  volman volume set shop --unset size --dry-run\n\n", (await VolmanProcess.RunAsync("volume", "set", "--help")).Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Examples:", (await VolmanProcess.RunAsync("volume", "--help")).Output, StringComparison.Ordinal);
        Assert.Contains(".B volman volume set shop size=20G label.team=web\n", (await VolmanProcess.RunAsync("man")).Output, StringComparison.Ordinal);
    }
}
