using System.CommandLine;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary><c>volman status</c>: whether the daemon of this host serves, and what an operator should know of it. What health checks run.</summary>
internal static class StatusCommand
{
    internal static Command Build()
    {
        var output = new OutputOption("text");
        var quick = new Option<bool>("--quick") { Description = "Ask no NFS server whether it answers, for health checks" };
        var command = new Command("status", "Tell whether the daemon of this host serves; the exit code is 0 when it does, with or without warnings") { output, quick };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var status = await daemon.StatusAsync(cancellation);
            // Servers are asked for these, which a program that only wants to know whether the daemon lives need not wait for.
            var exports = output.IsJson(parsed) || parsed.GetValue(quick) ? [] : await daemon.ListExportsAsync(cancellation);
            output.Write(parsed, status, AdminJson.Default.StatusAnswer, told => Write(told, exports));
        }));
        return command;
    }

    static void Write(StatusAnswer status, IReadOnlyList<ExportView> exports)
    {
        Line("host", $"{status.Host}, volman {status.Version}, up since {status.StartedAt:u}");
        Line("catalog", $"{status.Catalog}, scope {status.Scope}, {(status.StaleSince is { } since ? Screen.Bad($"away since {since:u}") : Screen.Good("in touch"))}");
        Line("schema", status.Schema);
        if (status.LeaseExpiresAt is { } lease) Line("lease", $"until {lease:u}{(lease < DateTime.UtcNow ? Screen.Bad(", run out by this host's clock") : "")}");
        Line("volumes", $"{status.Volumes}, of which {status.MountedVolumes} {(status.MountedVolumes == 1 ? "is" : "are")} mounted here for {status.Callers} {(status.Callers == 1 ? "caller" : "callers")}");
        if (status.UntoldEvents > 0) Line("untold", $"{status.UntoldEvents} {(status.UntoldEvents == 1 ? "event" : "events")} that the cluster's catalog has not heard yet");
        foreach (var export in exports)
        {
            Line("export", $"{export.Source}, {export.Volumes} {(export.Volumes == 1 ? "volume" : "volumes")}, {export.MountedVolumes} mounted here, {(export.Trouble is null ? Screen.Good("fine") : Screen.Bad(export.Trouble))}");
        }

        foreach (var warning in status.Warnings) Line("warning", Screen.Bad(warning));
    }

    static void Line(string heading, string text) => Console.WriteLine($"{heading,-10}{text}");
}
