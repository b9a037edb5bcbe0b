using System.Collections.Immutable;
using System.Data.Common;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using VolumeManager.Hosts;
using VolumeManager.Mounts;

namespace VolumeManager.Volumes;

/// <summary>Questions to the shared catalog. Each gives volumes with all that belongs to them and the catalog's revision, in one statement and so of one moment.</summary>
internal static class SharedVolumeRows
{
    const string StateOfHost = "CASE WHEN h.state = 'live' AND h.lease_expires_at < now() THEN 'lost' ELSE h.state END";

    static readonly string s_select = $"""
        SELECT {string.Join(", ", VolumeRows.Columns.Select(column => "v." + column))}, c.revision,
               (SELECT json_object_agg(o.key, o.value) FROM volume_options o WHERE o.volume_id = v.id),
               (SELECT json_object_agg(l.key, l.value) FROM volume_labels l WHERE l.volume_id = v.id),
               (SELECT json_agg(json_build_array(m.host_id, m.caller_id, m.count, m.boot_id, m.engine_generation, m.mounted_at, m.epoch, h.name, {StateOfHost}))
                FROM mounts m JOIN hosts h ON h.id = m.host_id WHERE m.volume_id = v.id)
        FROM catalog c LEFT JOIN volumes v ON
        """ + " ";

    /// <summary>The living volume of a name.</summary>
    internal static FormattableString ByName(string name) => FormattableStringFactory.Create(s_select + "v.name = {0} AND v.state IN ('ready', 'removing', 'restoring') WHERE c.id = 1", name);

    /// <summary>A volume whatever its state.</summary>
    internal static FormattableString ById(Guid id) => FormattableStringFactory.Create(s_select + "v.id = {0} WHERE c.id = 1", id);

    /// <summary>The volumes whose data is in the trash.</summary>
    internal static FormattableString InTrash(Guid? only) => only is { } id
        ? FormattableStringFactory.Create(s_select + "v.id = {0} AND v.state IN ('trashed', 'purging') WHERE c.id = 1", id)
        : FormattableStringFactory.Create(s_select + "v.state IN ('trashed', 'purging') WHERE c.id = 1");

    /// <summary>Those volumes, in no order.</summary>
    /// <param name="ids">A SELECT.</param>
    internal static FormattableString In(FormattableString ids) => FormattableStringFactory.Create($"{s_select}v.id IN ({ids.Format}) WHERE c.id = 1", ids.GetArguments()!);

    /// <summary>All volumes, the removed ones too, that have changed since a revision.</summary>
    internal static FormattableString ChangedSince(long revision) => FormattableStringFactory.Create(s_select + "v.revision > {0} WHERE c.id = 1", revision);

    /// <summary>All hosts as they are by the database's clock.</summary>
    internal static FormattableString Hosts => FormattableStringFactory.Create($"SELECT h.id, h.name, {StateOfHost} FROM hosts h");

    /// <summary>The other hosts, name and state, that were not heard of since that moment: what happened then they may not know.</summary>
    internal static FormattableString NotHeard(Guid asker, DateTime since) =>
        FormattableStringFactory.Create($"SELECT h.name, {StateOfHost} FROM hosts h WHERE h.id <> {{0}} AND h.state <> 'evicted' AND h.last_seen_at < {{1}} ORDER BY 2 DESC, 1", asker, since);

    /// <param name="host">Told of each host that holds a mount.</param>
    /// <returns>The catalog's revision, and the volume if there is one.</returns>
    internal static (long Revision, Volume? Volume) Read(DbDataReader row, Action<Guid, HostInfo> host)
    {
        var revision = row.GetInt64(VolumeRows.Columns.Length);
        if (row.IsDBNull(0)) return (revision, null);
        var volume = VolumeRows.Read(row);
        return (revision, StoredRow.Checked(volume with
        {
            Options = ReadPairs(row, VolumeRows.Columns.Length + 1),
            Labels = ReadPairs(row, VolumeRows.Columns.Length + 2),
            Mounts = ReadMounts(row, VolumeRows.Columns.Length + 3, volume.Id, host),
        }));
    }

    static ImmutableDictionary<string, string> ReadPairs(DbDataReader row, int column)
    {
        if (row.IsDBNull(column)) return ImmutableDictionary<string, string>.Empty;
        using var json = JsonDocument.Parse(row.GetString(column));
        return json.RootElement.EnumerateObject().ToImmutableDictionary(p => p.Name, p => p.Value.GetString()!, StringComparer.Ordinal);
    }

    static ImmutableArray<Mount> ReadMounts(DbDataReader row, int column, Guid volumeId, Action<Guid, HostInfo> host)
    {
        if (row.IsDBNull(column)) return [];
        using var json = JsonDocument.Parse(row.GetString(column));
        return [.. json.RootElement.EnumerateArray().Select(m =>
        {
            host(m[0].GetGuid(), new HostInfo(m[7].GetString()!, m[8].GetString()!));
            return new Mount
            {
                VolumeId = volumeId,
                HostId = m[0].GetGuid(),
                CallerId = m[1].GetString()!,
                Count = m[2].GetInt32(),
                BootId = m[3].GetString()!,
                EngineGeneration = m[4].GetInt64(),
                // A claim counts, whatever its time says.
                MountedAt = DateTime.TryParse(m[5].GetString(), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var at) ? at : DateTime.UnixEpoch,
                Epoch = m[6].GetInt64(),
            };
        })];
    }
}
