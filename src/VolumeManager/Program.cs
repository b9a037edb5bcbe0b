using System.CommandLine;
using System.CommandLine.Help;
using VolumeManager.Commands;

// One verb, one file of Commands/.
var volman = new RootCommand("Docker volumes for one host or a cluster, in a catalog that can be asked.")
{
    ServeCommand.Build(), StatusCommand.Build(), MigrateCommand.Build(), HostCommand.Build(), VolumeCommand.Build(), MountCommand.Build(), TrashCommand.Build(), DoctorCommand.Build(),
    CompletionCommand.Build(), ManCommand.Build(),
};
// Spellings of other systems, that help and completion would show.
foreach (var alias in (string[])["-?", "/?", "/h"]) volman.Options.OfType<HelpOption>().Single().Aliases.Remove(alias);
// The host ends on SIGTERM by itself, when what runs is answered; the parser's own limit would cut it off.
var parsed = volman.Parse(args);
var exitCode = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
return parsed.Errors.Count > 0 ? 2 : exitCode;
