using System.CommandLine;
using System.CommandLine.Help;

namespace VolumeManager.Commands;

/// <summary><c>volman man</c>: the manual page volman(8), made of the verbs and flags themselves, in the macros of man(7).</summary>
internal static class ManCommand
{
    internal static Command Build()
    {
        var command = new Command("man", "Print the manual page volman(8) as roff") { Hidden = true };
        command.SetAction(parsed => Write(parsed.RootCommandResult.Command, Console.Out));
        return command;
    }

    static void Write(Command volman, TextWriter page)
    {
        page.WriteLine($".TH VOLMAN 8 \"\" \"volman {ProgramVersion.Text}\" \"Volume Manager\"");
        page.WriteLine(".SH NAME");
        page.WriteLine($"volman \\- {Text("Docker volume plugin for one host or a cluster")}");
        page.WriteLine(".SH SYNOPSIS");
        page.WriteLine(".B volman\n.I verb\n[\\fIoptions\\fR]");
        page.WriteLine(".SH DESCRIPTION");
        page.WriteLine(Sentence(volman.Description!));
        page.WriteLine(Sentence("The daemon, volman serve, answers the Docker engine of its host on a unix socket. The other verbs talk to it, or to the database that the hosts of a cluster share."));
        page.WriteLine(".SH VERBS");
        foreach (var (path, verb) in Verbs("volman", volman)) WriteVerb(path, verb, page);
        page.WriteLine(".SH CONFIGURATION");
        page.WriteLine(Sentence("A setting is looked for among the flags, then in its environment variable, then in /etc/volman/volman.json, a JSON object with the flags' names as keys; comments may stand in it."));
        page.WriteLine(".SH EXIT STATUS");
        foreach (var (code, meaning) in ((string, string)[])[("0", "Done."), ("1", "Refused or failed; one sentence on the error stream says why and what to do."), ("2", "Wrong usage.")])
        {
            page.WriteLine($".TP\n.B {code}\n{Sentence(meaning)}");
        }

        page.WriteLine(".SH FILES");
        foreach (var (file, meaning) in ((string, string)[])[
            ("/etc/volman/volman.json", "Settings."),
            ("/run/docker/plugins/volman.sock", "Where the engine asks; the file's name is the driver's name."),
            ("/run/volman/admin.sock", "Where volman's own verbs ask; root alone may."),
            ("/var/lib/volman", "Host id, catalog or ledger, mounts, and the directories of local volumes."),
        ])
        {
            page.WriteLine($".TP\n.I {Text(file)}\n{Sentence(meaning)}");
        }

        page.WriteLine(".SH SEE ALSO\n.BR docker (1),\n.BR exports (5),\n.BR nfs (5)");
    }

    static IEnumerable<(string Path, Command Verb)> Verbs(string path, Command parent) => parent.Subcommands
        .Where(verb => !verb.Hidden)
        .SelectMany(verb => verb.Subcommands.Count == 0 ? [($"{path} {verb.Name}", verb)] : Verbs($"{path} {verb.Name}", verb));

    static void WriteVerb(string path, Command verb, TextWriter page)
    {
        page.WriteLine($".SS {Text(string.Join(' ', [path, .. verb.Arguments.Select(Usage)]))}");
        page.WriteLine(Sentence(verb.Description!));
        foreach (var example in Examples.Of(Examples.VerbOf(verb))) page.WriteLine($".PP\n.RS\n.B {Text("volman " + example)}\n.RE");
        foreach (var argument in verb.Arguments) page.WriteLine($".TP\n.I {Text(argument.Name)}\n{Sentence(argument.Description!)}");
        foreach (var option in verb.Options.Where(o => !o.Hidden && o is not HelpOption))
        {
            var names = string.Join(", ", (string[])[option.Name, .. option.Aliases]);
            page.WriteLine($".TP\n.B {Text(names)}{(option.HelpName is { } value ? $" \\fI{Text(value)}\\fR" : "")}\n{Sentence(option.Description!)}");
        }
    }

    static string Usage(Argument argument) => argument.Arity switch
    {
        { MinimumNumberOfValues: 0, MaximumNumberOfValues: > 1 } => $"[{argument.Name}...]",
        { MinimumNumberOfValues: 0 } => $"[{argument.Name}]",
        _ => argument.Name,
    };

    static string Sentence(string text) => Text(text).TrimEnd('.') + ".";

    /// <summary>Text that roff takes for text: a hyphen is a minus sign that can be copied, and no line begins a request.</summary>
    static string Text(string text)
    {
        var escaped = text.Replace("\\", "\\e", StringComparison.Ordinal).Replace("-", "\\-", StringComparison.Ordinal);
        return escaped.StartsWith('.') || escaped.StartsWith('\'') ? "\\&" + escaped : escaped;
    }
}
