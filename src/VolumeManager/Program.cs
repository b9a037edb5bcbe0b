using System.CommandLine;
using VolumeManager.Commands;

// The host ends on SIGTERM by itself, when what runs is answered; the parser's own limit would cut it off.
var parsed = RootVerb.Build().Parse(args);
var exitCode = await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
return parsed.Errors.Count > 0 ? 2 : exitCode;
