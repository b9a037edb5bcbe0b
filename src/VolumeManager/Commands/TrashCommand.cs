using System.CommandLine;
using VolumeManager.Admin;
using VolumeManager.Volumes;

namespace VolumeManager.Commands;

/// <summary><c>volman trash</c>: what was removed and is not deleted yet. Asks the daemon of this host.</summary>
internal static class TrashCommand
{
    internal static Command Build() => new("trash", "Removed volumes whose data is not deleted yet") { BuildList(), BuildEmpty() };

    static Command BuildList()
    {
        var output = new OutputOption();
        var command = new Command("ls", "List the volumes in the trash, those first that were removed last") { output };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            output.Write(parsed, await daemon.ListTrashAsync(cancellation), AdminJson.Default.IReadOnlyListTrashedVolume, Write);
        }));
        return command;
    }

    static void Write(IReadOnlyList<TrashedVolume> volumes) => Table.Write(
    [
        ["ID", "NAME", "STATE", "REMOVED", "KEPT UNTIL", "SIZE", "SOURCE"],
        .. volumes.Select(v => (string[])[$"{v.Id}", v.Name, v.State, $"{v.RemovedAt:u}", $"{v.PurgeAfter:u}", v.UsedBytes is { } bytes ? ByteSize.Text(bytes) : "", v.Source]),
    ]);

    static Command BuildEmpty()
    {
        var which = new Argument<string[]>("name-or-id") { Description = "Volumes of the trash [default: all]", Arity = ArgumentArity.ZeroOrMore };
        which.Validators.Add(AdminFlags.CheckNames);
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask" };
        var command = new Command("empty", "Delete the data of removed volumes now, before its time. Nobody gets it back") { which, yes };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            string[] asked = parsed.GetValue(which) ?? [];
            // By id, for what is removed while somebody thinks about the answer was not meant.
            if (asked.Length == 0) asked = [.. (await daemon.ListTrashAsync(cancellation)).Select(v => $"{v.Id}")];
            if (asked.Length == 0)
            {
                Console.WriteLine("The trash is empty.");
                return;
            }

            if (!parsed.GetValue(yes)) Confirm(parsed.GetValue(which) is { Length: > 0 } ? string.Join(", ", asked) : $"all {asked.Length} volumes in the trash");
            foreach (var one in asked)
            {
                foreach (var volume in (await daemon.PurgeAsync(one, cancellation)).Volumes) Console.WriteLine($"The data of volume {volume.Name} ({volume.Id}) is deleted, within minutes if nothing uses it and every host was heard of since its removal.");
            }
        }));
        return command;
    }

    static void Confirm(string what)
    {
        if (Console.IsInputRedirected || Console.IsOutputRedirected) throw new VolumeException($"this would delete the data of {what} for good, and there is no terminal to ask whether it should: say --yes");
        Console.Write($"Delete the data of {what} for good? [y/N] ");
        if (Console.ReadLine()?.Trim() is not ("y" or "Y" or "yes")) throw new VolumeException("nothing was deleted");
    }
}
