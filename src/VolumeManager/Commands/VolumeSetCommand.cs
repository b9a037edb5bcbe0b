using System.CommandLine;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary><c>volman volume set</c>: changes options of a volume that is there.</summary>
internal static class VolumeSetCommand
{
    internal static Command Build()
    {
        var name = VolumeCommand.NameArgument("The volume's name");
        var options = new Argument<string[]>("key=value") { Arity = ArgumentArity.ZeroOrMore };
        options.Description = "New values of size, on-remove or label.KEY and, while nobody has it mounted, of access or nfsopts";
        options.Validators.Add(VolumeOptions.Check);
        var unset = new Option<string[]>("--unset") { Description = "Take this option back to its default", HelpName = "key" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell what would change" };
        var output = new OutputOption("text");
        var command = new Command("set", "Change options of a volume; what they were is kept, and Creates that ask for the old ones still succeed") { name, options, unset, dryRun, output };
        command.Validators.Add(given =>
        {
            if (given.GetValue(options) is not { Length: > 0 } && given.GetValue(unset) is not { Length: > 0 }) given.AddError("say what to change: write key=value, or --unset key");
        });
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var changes = VolumeOptions.Pairs(parsed.GetValue(options) ?? []);
            foreach (var key in parsed.GetValue(unset) ?? [])
            {
                if (!changes.TryAdd(key, null)) throw new VolumeException($"the option {key} is given twice: give it once");
            }

            var answer = await daemon.SetVolumeAsync(parsed.GetValue(name)!, new SetRequest(changes, parsed.GetValue(dryRun)), cancellation);
            output.Write(parsed, answer, AdminJson.Default.SetAnswer, told => Write(told, parsed.GetValue(dryRun)));
        }));
        return command;
    }

    static void Write(SetAnswer answer, bool dryRun)
    {
        if (answer.Changes.Count == 0) Console.WriteLine($"Volume {answer.Name} has these options already.");
        foreach (var change in answer.Changes) Console.WriteLine($"{(dryRun ? "Would change" : "Changed")} {change}");
    }
}
