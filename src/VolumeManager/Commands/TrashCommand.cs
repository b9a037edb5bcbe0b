using System.CommandLine;
using Spectre.Console;
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

    static void Write(IReadOnlyList<TrashedVolume> volumes) => Commands.Table.Write(
    [
        ["ID", "NAME", "STATE", "REMOVED", "KEPT UNTIL", "SIZE", "SOURCE"],
        .. volumes.Select(v => (string[])[$"{v.Id}", v.Name, v.State, $"{v.RemovedAt:u}", $"{v.PurgeAfter:u}", v.UsedBytes is { } bytes ? ByteSize.Text(bytes) : "", v.Source]),
    ]);

    static Command BuildEmpty()
    {
        var which = new Argument<string[]>("name-or-id") { Description = "Volumes of the trash [default: all]", Arity = ArgumentArity.ZeroOrMore };
        which.Validators.Add(AdminFlags.CheckNames);
        var yes = new Option<bool>("--yes", "-y") { Description = "Do not ask" };
        var wait = new Option<bool>("--wait") { Description = "Return when the data is gone" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell what would be deleted" };
        var command = new Command("empty", "Delete the data of removed volumes now, before its time. Nobody gets it back") { which, yes, wait, dryRun };
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

            if (parsed.GetValue(dryRun))
            {
                foreach (var one in asked)
                {
                    foreach (var volume in (await daemon.PurgeAsync(one, dryRun: true, cancellation)).Volumes) Console.WriteLine($"The data of volume {volume.Name} ({volume.Id}), removed {volume.RemovedAt:u}, would be deleted.");
                }

                return;
            }

            if (!parsed.GetValue(yes)) Confirmation.Ask($"delete the data of {(parsed.GetValue(which) is { Length: > 0 } ? string.Join(", ", asked) : $"all {asked.Length} volumes in the trash")} for good");
            var purged = new HashSet<Guid>();
            foreach (var one in asked)
            {
                foreach (var volume in (await daemon.PurgeAsync(one, dryRun: false, cancellation)).Volumes)
                {
                    purged.Add(volume.Id);
                    if (!parsed.GetValue(wait)) Console.WriteLine($"The data of volume {volume.Name} ({volume.Id}) is deleted, within minutes if nothing uses it and every host was heard of since its removal.");
                }
            }

            if (!parsed.GetValue(wait)) return;
            await WaitAsync(daemon, purged, cancellation);
            Console.WriteLine($"The data of {purged.Count} {(purged.Count == 1 ? "volume" : "volumes")} is deleted.");
        }));
        return command;
    }

    /// <summary>Waits until the data is gone. On a terminal it shows how far that is.</summary>
    static async Task WaitAsync(AdminClient daemon, HashSet<Guid> purged, CancellationToken cancellation)
    {
        if (Console.IsErrorRedirected) await CountAsync(_ => { });
        else await Screen.Progress().StartAsync(progress =>
        {
            var task = progress.AddTask("deleting", maxValue: purged.Count);
            return CountAsync(left => task.Value = purged.Count - left);
        });

        async Task CountAsync(Action<int> tell)
        {
            for (int left; (left = (await daemon.ListTrashAsync(cancellation)).Count(v => purged.Contains(v.Id))) > 0; await Task.Delay(TimeSpan.FromMilliseconds(500), cancellation)) tell(left);
        }
    }
}
