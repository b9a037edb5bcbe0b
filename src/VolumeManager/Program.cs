using System.CommandLine;
using VolumeManager.Commands;

// One verb, one file of Commands/.
var volman = new RootCommand("Docker volumes for one host or a cluster, in a catalog that can be asked.") { ServeCommand.Build() };
return await volman.Parse(args).InvokeAsync();
