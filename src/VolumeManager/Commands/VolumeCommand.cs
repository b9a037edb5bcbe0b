using System.CommandLine;

namespace VolumeManager.Commands;

/// <summary><c>volman volume</c>: what an engine's own <c>docker volume</c> cannot say. Asks the daemon of this host.</summary>
internal static class VolumeCommand
{
    internal static Command Build() => new("volume", "What docker volume cannot do with the volumes") { BuildRestore() };

    static Command BuildRestore()
    {
        var which = new Argument<string>("name-or-id") { Description = "The volume's name or, if several removed ones have that, its id, as volman trash ls shows it" };
        which.Validators.Add(AdminFlags.CheckNames);
        var asName = new Option<string?>("--as") { Description = "The name that it shall have [default: its own]", HelpName = "name" };
        var command = new Command("restore", "Bring a removed volume back from the trash, with its data and options") { which, asName };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var restored = await daemon.RestoreAsync(parsed.GetValue(which)!, parsed.GetValue(asName), cancellation);
            Console.WriteLine($"Volume {restored.Name} is restored to {restored.Source}.");
        }));
        return command;
    }
}
