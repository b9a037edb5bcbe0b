using System.CommandLine;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary><c>volman status</c>: whether the daemon of this host serves, and what an operator should know of it. What health checks run.</summary>
internal static class StatusCommand
{
    internal static Command Build()
    {
        var output = new OutputOption("text");
        var command = new Command("status", "Tell whether the daemon of this host serves; the exit code is 0 when it does, with or without warnings") { output };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            output.Write(parsed, await daemon.StatusAsync(cancellation), AdminJson.Default.StatusAnswer, Write);
        }));
        return command;
    }

    static void Write(StatusAnswer status)
    {
        Console.WriteLine($"host      {status.Host}, volman {status.Version}, up since {status.StartedAt:u}");
        Console.WriteLine($"catalog   {status.Catalog}, scope {status.Scope}, {(status.StaleSince is { } since ? $"away since {since:u}" : "in touch")}");
        Console.WriteLine($"volumes   {status.Volumes}, of which {status.MountedVolumes} {(status.MountedVolumes == 1 ? "is" : "are")} mounted here for {status.Callers} {(status.Callers == 1 ? "caller" : "callers")}");
        if (status.UntoldEvents > 0) Console.WriteLine($"untold    {status.UntoldEvents} {(status.UntoldEvents == 1 ? "event" : "events")} that the cluster's catalog has not heard yet");
        foreach (var warning in status.Warnings) Console.WriteLine($"warning   {warning}");
    }
}
