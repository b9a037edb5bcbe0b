using System.CommandLine;
using System.Globalization;
using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Commands;

/// <summary><c>volman host</c>: the hosts of a cluster, and the word that one of them is no more. Asks the shared database itself, for a host may be the last one.</summary>
internal static class HostCommand
{
    static readonly string[] s_settings = ["database", "database-file"];

    internal static Command Build() => new("host", "The hosts of a cluster") { BuildList(), BuildEvict() };

    static Command BuildList()
    {
        var command = new Command("ls", "List the hosts: whether they are live, lost or evicted, and how many mounts they hold");
        var flags = SettingsBinder.AddFlags(command, s_settings);
        command.SetAction((parsed, cancellation) => CommandLine.RunAsync(async () =>
        {
            await using var database = Open(key => flags.TryGetValue(key, out var flag) ? parsed.GetValue(flag) : null);
            List<string[]> rows = [["NAME", "STATE", "MOUNTS", "ADDRESS", "LAST SEEN", "VERSION"]];
            await database.ReadAsync(
                $"""
                SELECT h.name, CASE WHEN h.state = 'live' AND h.lease_expires_at < now() THEN 'lost' ELSE h.state END, (SELECT count(*) FROM mounts m WHERE m.host_id = h.id),
                       COALESCE(h.address, ''), h.last_seen_at, h.version
                FROM hosts h ORDER BY h.state = 'evicted', h.name
                """,
                row => rows.Add([row.GetString(0), row.GetString(1), row.GetInt64(2).ToString(CultureInfo.InvariantCulture), row.GetString(3), $"{row.GetUtc(4):u}", row.GetString(5)]), cancellation);
            Table.Write(rows);
        }));
        return command;
    }

    static Command BuildEvict()
    {
        var name = new Argument<string>("name") { Description = "The host's name, as volman host ls shows it" };
        var force = new Option<bool>("--force") { Description = "Even a host that is live. Its containers are not stopped, and can go on writing to its volumes" };
        var command = new Command("evict", "Free all that a lost host holds: its mounts are dropped, and its exclusive volumes may be taken over at once. Make sure first that the machine is off") { name, force };
        var flags = SettingsBinder.AddFlags(command, s_settings);
        command.SetAction((parsed, _) => CommandLine.RunAsync(async () =>
        {
            await using var database = Open(key => flags.TryGetValue(key, out var flag) ? parsed.GetValue(flag) : null);
            var evicted = await Eviction.EvictAsync(database, parsed.GetValue(name)!, $"{Environment.UserName} on {Environment.MachineName}", parsed.GetValue(force));
            Console.WriteLine($"Host {parsed.GetValue(name)} is evicted: {evicted.Mounts} {(evicted.Mounts == 1 ? "mount" : "mounts")} dropped{(evicted.Exclusive.Count == 0 ? "" : $", exclusive volumes free now: {string.Join(", ", evicted.Exclusive)}")}.");
            foreach (var export in evicted.Exports)
            {
                Console.WriteLine(export.IsDone
                    ? $"It is shut out of {export.Source}: what it has open there is lost to it."
                    : $"It is not shut out of {export.Source} yet: its exclusive volumes there can be mounted once volman on host {export.Server} has done so.");
            }
        }));
        return command;
    }

    static PostgresDatabase Open(Func<string, string?> flag)
    {
        var (settings, _) = SettingsBinder.Bind(flag);
        return settings.Database.Length > 0
            ? new PostgresDatabase(settings.Database, settings.HostName)
            : throw new VolumeException("this host has a catalog of its own and no other hosts: name the cluster's database with --database-file");
    }
}
