using System.CommandLine;
using System.Text.Json;
using VolumeManager.Admin;
using VolumeManager.Volumes;

namespace VolumeManager.Commands;

/// <summary><c>volman volume</c>: what <c>docker volume</c> does without an engine, and what it cannot do. Asks the daemon of this host.</summary>
internal static class VolumeCommand
{
    internal static Command Build() => new("volume", "The volumes of this host or its cluster") { BuildList(), BuildInspect(), BuildCreate(), BuildRemove(), BuildRestore(), VolumeSetCommand.Build(), VolumeCopyCommands.BuildMove(), VolumeCopyCommands.BuildClone(), VolumeAdoptCommand.Build() };

    static Command BuildList()
    {
        var label = new Option<string?>("--label") { Description = "Only volumes with this label, or with this value of it", HelpName = "key[=value]" };
        var host = new Option<string?>("--host") { Description = "Only volumes that this host has mounted", HelpName = "name" };
        var output = new OutputOption();
        var command = new Command("ls", "List the volumes by name, with what they hold and who uses them") { label, host, output };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var volumes = new List<VolumeView>();
            await foreach (var volume in daemon.ListVolumesAsync(AdminFlags.Query(("label", parsed.GetValue(label)), ("host", parsed.GetValue(host))), cancellation)) volumes.Add(volume);
            output.Write(parsed, volumes, AdminJson.Default.IReadOnlyListVolumeView, Write);
        }));
        return command;
    }

    static void Write(IReadOnlyList<VolumeView> volumes) => Table.Write(
    [
        ["NAME", "STATE", "USED", "SIZE", "ACCESS", "USED ON", "SOURCE"],
        .. volumes.Select(v => (string[])
        [
            v.Name, v.State, v.UsedBytes is { } used ? ByteSize.Text(used) : "", v.SizeBytes is { } size ? ByteSize.Text(size) : "", v.Options["access"],
            string.Join(", ", v.Holders.Select(h => h.State == "live" ? h.Host : $"{h.Host} ({h.State})")), v.Source,
        ]),
    ]);

    static Command BuildInspect()
    {
        var name = NameArgument("The volume's name");
        var command = new Command("inspect", "Show all that is known of a volume, as JSON") { name };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var volume = await daemon.FindVolumeAsync(parsed.GetValue(name)!, cancellation);
            Console.WriteLine(JsonSerializer.Serialize(volume, new AdminJson(new JsonSerializerOptions(AdminJson.Default.Options) { WriteIndented = true }).VolumeView));
        }));
        return command;
    }

    static Command BuildCreate()
    {
        var name = NameArgument("The name that it shall have");
        var opt = new VolumeOptions("An option, such as size=10G or label.team=web; all are in docs/options.md");
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell whether it could be made, and where its data would be" };
        var command = new Command("create", "Make a volume, as docker volume create -d volman does") { name, opt, dryRun };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var made = await daemon.CreateVolumeAsync(new CreateRequest(parsed.GetValue(name)!, opt.Of(parsed), parsed.GetValue(dryRun)), cancellation);
            Console.WriteLine(made.State == VolumeView.Planned ? $"Volume {made.Name} would be at {made.Source}."
                : parsed.GetValue(dryRun) ? $"Volume {made.Name} is at {made.Source} already, and would stay as it is."
                : $"Volume {made.Name} is at {made.Source}.");
        }));
        return command;
    }

    static Command BuildRemove()
    {
        var names = new Argument<string[]>("name") { Description = "Volumes that nobody uses", Arity = ArgumentArity.OneOrMore };
        names.Validators.Add(AdminFlags.CheckNames);
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask where on-remove=delete says that the data does not wait in the trash" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell what would become of them" };
        var command = new Command("rm", "Remove volumes, as docker volume rm does: the data waits in the trash unless on-remove says otherwise") { names, yes, dryRun };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            foreach (var name in parsed.GetValue(names)!)
            {
                var (volume, seen) = await daemon.LookAtVolumeAsync(name, cancellation);
                var onRemove = volume.Options["on-remove"];
                if (parsed.GetValue(dryRun))
                {
                    await daemon.RemoveVolumeAsync(name, dryRun: true, asSeen: null, cancellation);
                    Console.WriteLine($"Volume {name} would be removed; its data would {(onRemove == "retain" ? $"stay at {volume.Source}" : onRemove == "delete" ? "be deleted" : "wait in the trash")}.");
                    continue;
                }

                var isAsked = onRemove == "delete" && !parsed.GetValue(yes);
                // One that is in use is refused; who was asked of it in another state was not asked of this one.
                if (isAsked && volume.Holders.Count == 0) Confirmation.Ask($"delete the data of {name} for good");
                await daemon.RemoveVolumeAsync(name, dryRun: false, isAsked ? seen : null, cancellation);
                Console.WriteLine(onRemove switch
                {
                    "retain" => $"Volume {name} is removed; its data stays at {volume.Source}.",
                    "delete" => $"Volume {name} is removed, and its data is being deleted.",
                    _ => $"Volume {name} is removed; volman volume restore {name} brings it back until the trash is emptied.",
                });
            }
        }));
        return command;
    }

    static Command BuildRestore()
    {
        var which = NameArgument("The volume's name or, if several removed ones have that, its id, as volman trash ls shows it", "name-or-id");
        var asName = new Option<string?>("--as") { Description = "The name that it shall have [default: its own]", HelpName = "name" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell which volume would come back" };
        var command = new Command("restore", "Bring a removed volume back from the trash, with its data and options") { which, asName, dryRun };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var restored = await daemon.RestoreAsync(parsed.GetValue(which)!, new RestoreRequest(parsed.GetValue(asName), parsed.GetValue(dryRun)), cancellation);
            if (parsed.GetValue(dryRun))
            {
                var removed = (await daemon.ListTrashAsync(cancellation)).FirstOrDefault(v => v.Id == restored.Id);
                Console.WriteLine($"Volume {restored.Name} would be restored to {restored.Source}{(removed is null ? "" : $" with what {removed.Name} ({removed.Id}) was when it was removed, {removed.RemovedAt:u}")}.");
                return;
            }

            Console.WriteLine($"Volume {restored.Name} is restored to {restored.Source}.");
        }));
        return command;
    }

    internal static Argument<string> NameArgument(string description, string name = "name")
    {
        var argument = new Argument<string>(name) { Description = description };
        argument.Validators.Add(AdminFlags.CheckNames);
        return argument;
    }
}
