using System.CommandLine;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary><c>volman volume adopt</c>: makes volumes of directories that are there, without touching what is in them.</summary>
internal static class VolumeAdoptCommand
{
    internal static Command Build()
    {
        var directories = new Argument<string[]>("directory") { Description = "The directories to adopt, relative to the data root or export [default: none, only tell what there is]", Arity = ArgumentArity.ZeroOrMore };
        var all = new Option<bool>("--all") { Description = "Adopt all that can be" };
        var asName = new Option<string?>("--as") { Description = "The name of the one volume [default: the directory's]", HelpName = "name" };
        var opt = new VolumeOptions("An option of the new volumes, such as on-remove=trash; without it their data stays when they are removed");
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell what would be adopted" };
        var place = new PlaceFlags();
        var output = new OutputOption();
        var command = new Command("adopt", "Tell which directories are no volume's, and which volumes have no directory; make volumes of the chosen ones, in place") { directories, all, asName, opt, dryRun, output };
        foreach (var option in place.All) command.Options.Add(option);
        command.Validators.Add(given =>
        {
            var chosen = given.GetValue(directories)?.Length ?? 0;
            if (given.GetValue(all) && chosen > 0) given.AddError("--all goes with no directories: leave it out, or them");
            if (given.GetValue(asName) is not null && (chosen != 1 || given.GetValue(all))) given.AddError("--as goes with one directory");
        });
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var where = place.Of(parsed);
            var scan = await daemon.FindAdoptableAsync(AdminFlags.Query([.. where.Select(o => (o.Key, o.Value))]), cancellation);
            var chosen = parsed.GetValue(directories) ?? [];
            if (parsed.GetValue(all)) chosen = [.. scan.Found.Where(f => f.WhyNot is null).Select(f => f.Directory)];
            if (chosen.Length == 0)
            {
                output.Write(parsed, scan, AdminJson.Default.AdoptableAnswer, Write);
                return;
            }

            foreach (var directory in chosen)
            {
                var found = scan.Found.FirstOrDefault(f => f.Directory == directory);
                var name = parsed.GetValue(asName) ?? found?.Name ?? throw new VolumeException($"there is no directory {directory} that is no volume's: run volman volume adopt to see which there are");
                if (found?.WhyNot is { } whyNot && parsed.GetValue(asName) is null) throw new VolumeException($"{found.Source} cannot be adopted as {name}: {whyNot}");
                var options = opt.Of(parsed);
                foreach (var (key, value) in where) options.TryAdd(key, value);
                options["path"] = directory;
                var made = await daemon.CreateVolumeAsync(new CreateRequest(name, options, parsed.GetValue(dryRun)), cancellation);
                if (!parsed.GetValue(dryRun)) Console.WriteLine($"Volume {made.Name} is at {made.Source}; when it is removed its data {(made.Options["on-remove"] == "retain" ? "stays" : "goes to the trash")}.");
            }

            if (parsed.GetValue(dryRun)) output.Write(parsed, scan with { Found = [.. scan.Found.Where(f => chosen.Contains(f.Directory))] }, AdminJson.Default.AdoptableAnswer, Write);
        }));
        return command;
    }

    static void Write(AdoptableAnswer scan)
    {
        if (scan.Found.Count > 0)
        {
            Table.Write([["DIRECTORY", "AS VOLUME", "EMPTY", "NOTE"], .. scan.Found.Select(f => (string[])[f.Directory, f.Name, f.IsEmpty ? "yes" : "", f.WhyNot ?? ""])]);
        }
        else
        {
            Console.WriteLine("Every directory is a volume's.");
        }

        foreach (var missing in scan.Missing) Console.WriteLine($"Volume {missing.Volume} has no directory: {missing.Source} is missing; mount its disk or restore it, or remove the volume with volman volume rm {missing.Volume}.");
    }
}
