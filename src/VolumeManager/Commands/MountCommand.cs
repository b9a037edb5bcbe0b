using System.CommandLine;
using System.Globalization;
using VolumeManager.Admin;

namespace VolumeManager.Commands;

/// <summary><c>volman mount</c>: who uses which volume where, and since when. Asks the daemon of this host.</summary>
internal static class MountCommand
{
    internal static Command Build() => new("mount", "Who uses which volume on which host") { BuildList() };

    static Command BuildList()
    {
        var volume = new Option<string?>("--volume") { Description = "Only mounts of this volume", HelpName = "name" };
        var host = new Option<string?>("--host") { Description = "Only mounts of this host", HelpName = "name" };
        var output = new OutputOption();
        var command = new Command("ls", "List the mounts: each is a mount id of an engine that uses a volume") { volume, host, output };
        var flags = SettingsBinder.AddFlags(command, AdminFlags.Keys);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            using var daemon = AdminFlags.Open(parsed, flags);
            var mounts = await daemon.ListMountsAsync(AdminFlags.Query(("volume", parsed.GetValue(volume)), ("host", parsed.GetValue(host))), cancellation);
            output.Write(parsed, mounts, AdminJson.Default.IReadOnlyListMountView, Write);
        }));
        return command;
    }

    static void Write(IReadOnlyList<MountView> mounts) => Table.Write(
    [
        ["VOLUME", "HOST", "SINCE", "COUNT", "CALLER"],
        .. mounts.Select(m => (string[])
        [
            m.Volume, m.HostState == "live" ? m.Host : $"{m.Host} ({m.HostState})", $"{m.MountedAt:u}", m.Count.ToString(CultureInfo.InvariantCulture), m.CallerId,
        ]),
    ]);
}
