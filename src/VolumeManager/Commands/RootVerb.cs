using System.CommandLine;
using System.CommandLine.Help;

namespace VolumeManager.Commands;

/// <summary><c>volman</c> itself: one verb, one file.</summary>
internal static class RootVerb
{
    internal static RootCommand Build()
    {
        var volman = new RootCommand("Docker volumes for one host or a cluster, in a catalog that can be asked.")
        {
            ServeCommand.Build(), StatusCommand.Build(), MigrateCommand.Build(), HostCommand.Build(), VolumeCommand.Build(), MountCommand.Build(), TrashCommand.Build(), ReportCommand.Build(), DoctorCommand.Build(), EventCommand.Build(), TokenCommand.Build(),
            CompletionCommand.Build(), ManCommand.Build(),
        };
        var help = volman.Options.OfType<HelpOption>().Single();
        // Spellings of other systems, that help and completion would show.
        foreach (var alias in (string[])["-?", "/?", "/h"]) help.Aliases.Remove(alias);
        help.Action = new Examples((HelpAction)help.Action!);
        return volman;
    }
}
