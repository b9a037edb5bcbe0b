using System.CommandLine;
using System.Globalization;
using VolumeManager.Admin;
using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Commands;

/// <summary><c>volman host</c>: the hosts of a cluster, and the word that one of them is no more. Asks a daemon or, as a host may be the last one, the shared database itself.</summary>
internal static class HostCommand
{
    static readonly string[] s_databaseKeys = ["database", "database-file"];

    internal static Command Build() => new("host", "The hosts of a cluster") { BuildList(), BuildEvict() };

    static Command BuildList()
    {
        var output = new OutputOption();
        var command = new Command("ls", "List the hosts: whether they are live, lost or evicted, and how many mounts they hold") { output };
        var flags = AddFlags(command);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () => output.Write(
            parsed,
            await AskAsync(
                parsed, flags,
                daemon => daemon.ListHostsAsync(cancellation),
                async database => [.. (await HostListing.ReadAsync(database, cancellation)).Select(HostView.Of)]),
            AdminJson.Default.IReadOnlyListHostView, Write)));
        return command;
    }

    static void Write(IReadOnlyList<HostView> hosts) => Table.Write(
    [
        ["NAME", "STATE", "MOUNTS", "ADDRESS", "LAST SEEN", "VERSION"],
        .. hosts.Select(h => (string[])[h.Name, h.State, h.Mounts.ToString(CultureInfo.InvariantCulture), h.Address ?? "", $"{h.LastSeenAt:u}", h.Version]),
    ]);

    static Command BuildEvict()
    {
        var name = new Argument<string>("name") { Description = "The host's name, as volman host ls shows it" };
        var force = new Option<bool>("--force") { Description = "Even a host that is live. Its containers are not stopped, and can go on writing to its volumes" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell what it holds, and what would become of that" };
        var command = new Command("evict", "Free all that a lost host holds: its mounts are dropped, and its exclusive volumes may be taken over at once. Make sure first that the machine is off") { name, force, dryRun };
        var flags = AddFlags(command);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            var host = parsed.GetValue(name)!;
            var by = $"{Environment.UserName} on {Environment.MachineName}";
            var request = new EvictRequest(parsed.GetValue(force), parsed.GetValue(dryRun));
            var evicted = await AskAsync(
                parsed, flags,
                daemon => daemon.EvictAsync(host, request, cancellation),
                async database =>
                {
                    History.Actor = by;
                    return EvictAnswer.Of(host, await Eviction.EvictAsync(database, host, by, request.Force, request.DryRun));
                });
            if (request.DryRun) Foretell(evicted);
            else Write(evicted);
        }));
        return command;
    }

    static void Write(EvictAnswer evicted)
    {
        Console.WriteLine($"Host {evicted.Host} is evicted: {evicted.Mounts} {(evicted.Mounts == 1 ? "mount" : "mounts")} dropped{(evicted.ExclusiveVolumes.Count == 0 ? "" : $", exclusive volumes free now: {string.Join(", ", evicted.ExclusiveVolumes)}")}.");
        foreach (var export in evicted.Exports)
        {
            Console.WriteLine(export.IsShutOut
                ? $"It is shut out of {export.Source}: what it has open there is lost to it."
                : $"It is not shut out of {export.Source} yet: its exclusive volumes there can be mounted once volman on host {export.Host} has done so.");
        }
    }

    static void Foretell(EvictAnswer evicted)
    {
        Console.WriteLine($"Host {evicted.Host} would be evicted, and {evicted.Mounts} {(evicted.Mounts == 1 ? "mount" : "mounts")} dropped{(evicted.ExclusiveVolumes.Count == 0 ? "" : $"; exclusive volumes that would be free: {string.Join(", ", evicted.ExclusiveVolumes)}")}.");
        foreach (var export in evicted.Exports) Console.WriteLine($"Volman on host {export.Host} would shut it out of {export.Source}: what it has open there would be lost to it.");
    }

    static Dictionary<string, Option<string?>> AddFlags(Command command) => SettingsBinder.AddFlags(command, [.. AdminFlags.Keys, .. s_databaseKeys]);

    /// <summary>Asks the database if a flag names it, or if no daemon answers and it is known all the same.</summary>
    static async Task<T> AskAsync<T>(ParseResult parsed, Dictionary<string, Option<string?>> flags, Func<AdminClient, Task<T>> askDaemon, Func<PostgresDatabase, Task<T>> askDatabase)
    {
        var (settings, _) = SettingsBinder.Bind(parsed, flags);
        if (!Array.Exists(s_databaseKeys, key => parsed.GetValue(flags[key]) is not null))
        {
            try
            {
                using var daemon = AdminFlags.Open(settings);
                return await askDaemon(daemon);
            }
            catch (NoDaemonException) when (settings is { AdminUrl: null, Database.Length: > 0 })
            {
                // The host may be the last one, and its daemon dead.
            }
        }

        await using var database = new PostgresDatabase(settings.Database, settings.HostName);
        return await askDatabase(database);
    }
}
