using System.CommandLine;
using Spectre.Console;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary><c>volman volume move</c> and <c>clone</c>: what copies a volume's data, and may take long.</summary>
internal static class VolumeCopyCommands
{
    internal static Command BuildMove()
    {
        var name = VolumeCommand.NameArgument("A volume that nobody uses");
        var place = new PlaceFlags();
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell whether it could be done, and where the data would be" };
        var output = new OutputOption("text");
        var command = new Command("move", "Copy a volume to another server, export or backend, compare, and switch it over; the old place's data goes into the trash there") { name, dryRun, output };
        foreach (var option in place.All) command.Options.Add(option);
        command.Validators.Add(given =>
        {
            if (!place.All.Any(option => given.GetResult(option) is not null)) given.AddError("say where to: --backend local, or --server and --export");
        });
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var which = parsed.GetValue(name)!;
            var last = await FollowAsync(daemon.MoveVolumeAsync(which, new MoveRequest(place.Of(parsed), parsed.GetValue(dryRun)), cancellation), which);
            output.Write(parsed, last, AdminJson.Default.CopyLine, told => Console.WriteLine(told.Phase == "planned" ? $"Volume {which} would move to {told.Source}." : $"Volume {which} is at {told.Source}."));
        }));
        return command;
    }

    internal static Command BuildClone()
    {
        var name = VolumeCommand.NameArgument("The volume whose data it shall have");
        var newName = VolumeCommand.NameArgument("The name that the new one shall have", "new-name");
        var opt = new VolumeOptions("An option of the new volume that shall be another than the old one's");
        var live = new Option<bool>("--live") { Description = "Although it is in use: the clone has what was there when the copy came by" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell whether it could be done, and where the data would be" };
        var output = new OutputOption("text");
        var command = new Command("clone", "Make a new volume with the data and options of another; blocks are shared where the file system can") { name, newName, opt, live, dryRun, output };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var (which, made) = (parsed.GetValue(name)!, parsed.GetValue(newName)!);
            var last = await FollowAsync(daemon.CloneVolumeAsync(which, new CloneRequest(made, opt.Of(parsed), parsed.GetValue(live), parsed.GetValue(dryRun)), cancellation), which);
            output.Write(parsed, last, AdminJson.Default.CopyLine, told => Console.WriteLine(told.Phase == "planned" ? $"Volume {made} would be at {told.Source}." : $"Volume {made} is at {told.Source}."));
        }));
        return command;
    }

    /// <summary>Shows on a terminal how far it has come.</summary>
    /// <exception cref="VolumeException">It failed.</exception>
    static async Task<CopyLine> FollowAsync(IAsyncEnumerable<CopyLine> lines, string volume)
    {
        CopyLine? last = null;
        if (Console.IsErrorRedirected) await foreach (var line in lines) last = line;
        else await Screen.Progress().Columns(new SpinnerColumn(), new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn()).StartAsync(ShowAsync);
        return last is { Error: null } ? last : throw new VolumeException(last?.Error ?? $"the copy of volume {volume} was broken off by the daemon: see its log");

        async Task ShowAsync(ProgressContext progress)
        {
            ProgressTask? task = null;
            var phase = "";
            await foreach (var line in lines)
            {
                last = line;
                if (line.Phase is not ("copying" or "verifying")) continue;
                if (line.Phase != phase)
                {
                    task?.StopTask();
                    (task, phase) = (progress.AddTask(line.Phase), line.Phase);
                }

                task!.Description = $"{line.Phase} {line.Files:N0}{(line.OfFiles is { } all ? $" of {all:N0}" : "")} files";
                task.IsIndeterminate = line.OfFiles is null;
                (task.MaxValue, task.Value) = (Math.Max(line.OfFiles ?? 1, line.Files), line.Files);
            }
        }
    }
}
