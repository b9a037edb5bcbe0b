using System.CommandLine;
using VolumeManager.Commands;

// One verb, one file of Commands/.
var volman = new RootCommand("Docker volumes for one host or a cluster, in a catalog that can be asked.")
{
    ServeCommand.Build(), MigrateCommand.Build(), HostCommand.Build(), VolumeCommand.Build(), TrashCommand.Build(),
};
// The host ends on SIGTERM by itself, when what runs is answered; the parser's own limit would cut it off.
var parsed = volman.Parse(args);
var exitCode = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
return parsed.Errors.Count > 0 ? 2 : exitCode;
