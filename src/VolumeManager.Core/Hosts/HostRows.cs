using Microsoft.Extensions.Logging;
using VolumeManager.Catalog;

namespace VolumeManager.Hosts;

/// <summary>The statements about this host in its own file, be that its catalog or its ledger.</summary>
internal static partial class HostRows
{
    /// <summary>Lets the engine's generations count on from what was written, or claimed under. No engine outlives its host's boot.</summary>
    internal static async Task ContinueGenerationsAsync(CatalogConnection db, ThisHost host)
    {
        var claimed = 0L;
        await db.ReadAsync($"SELECT COALESCE(MAX(engine_generation), 0) FROM mounts WHERE host_id = {host.Id}", row => claimed = row.GetInt64(0));
        await db.ReadAsync(
            $"SELECT engine_generation, boot_id FROM hosts WHERE id = {host.Id}",
            row => host.Engine.ContinueFrom(Math.Max(row.GetInt64(0), claimed) + (row.GetString(1) == host.BootId ? 0 : 1)));
    }

    /// <summary>The file is of one host: what another id left came with a backup of a machine that is no more, and its mounts would block removals for ever.</summary>
    internal static Change ForgetOthers(ThisHost host) => Change.Quiet($"DELETE FROM mounts WHERE host_id <> {host.Id}", [$"DELETE FROM hosts WHERE id <> {host.Id}"]);

    /// <summary>What the state of this host is in a ledger that may lack what this host has mounted in this boot.</summary>
    internal const string Unsure = "unsure";

    /// <summary>Writes down that this host runs, in this boot.</summary>
    /// <param name="firstState">What its state is at the first start of a boot, as far as this file knows.</param>
    internal static Change Keep(ThisHost host, DateTime now, string firstState) => Change.Quiet(
        $"""
        INSERT INTO hosts (id, name, boot_id, version, engine_generation, last_seen_at, state)
        VALUES ({host.Id}, {host.Name}, {host.BootId}, {ProgramVersion.Text}, {host.Engine.Current}, {now}, {firstState})
        ON CONFLICT (id) DO UPDATE
        SET state = CASE WHEN hosts.boot_id = excluded.boot_id THEN hosts.state ELSE excluded.state END, name = excluded.name, boot_id = excluded.boot_id, version = excluded.version, engine_generation = excluded.engine_generation, last_seen_at = excluded.last_seen_at
        """,
        EventRows.Append(StartOf(host, now)));

    /// <summary>Makes the file this host's. A full disk must not keep what is known from being answered: that only reads.</summary>
    internal static async Task TryRegisterAsync(CatalogConnection db, ThisHost host, DateTime now, ILogger log, string firstState = "live")
    {
        try
        {
            await db.InTransactionAsync(async transaction =>
            {
                await transaction.ExecuteAsync(ForgetOthers(host));
                await transaction.ExecuteAsync(Keep(host, now, firstState));
            });
        }
        catch (System.Data.Common.DbException e)
        {
            LogNotRegistered(log, e.Message);
        }
    }

    /// <summary>Whether the file knows all that this host has mounted in this boot.</summary>
    internal static Task<bool> IsSureAsync(CatalogConnection db, ThisHost host) =>
        db.AnyAsync($"SELECT 1 FROM hosts WHERE id = {host.Id} AND boot_id = {host.BootId} AND state <> {Unsure}");

    internal static FormattableString SetSure(ThisHost host) => $"UPDATE hosts SET state = 'live' WHERE id = {host.Id}";

    internal static FormattableString SetGeneration(ThisHost host, long generation) => $"UPDATE hosts SET engine_generation = {generation} WHERE id = {host.Id}";

    internal static Event StartOf(ThisHost host, DateTime now) =>
        new() { At = now, Host = host.Name, Kind = EventKind.HostStart, Detail = $"volman {ProgramVersion.Text}, boot {host.BootId}" };

    [LoggerMessage(Level = LogLevel.Error, Message = "The catalog cannot be written at the start, so volumes can be looked at only: {Reason}")]
    static partial void LogNotRegistered(ILogger log, string reason);
}
