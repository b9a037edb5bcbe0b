using System.Runtime.CompilerServices;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>The catalog's rows against what this daemon goes by: they differ when somebody has changed rows by hand, or brought back a backup under a daemon that runs.</summary>
internal sealed class RowChecks(HostDaemon daemon)
{
    readonly VolumeIndex _index = daemon.Catalog.Index;

    internal async IAsyncEnumerable<Finding> LookAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var all = await StoredVolumes.ReadAsync(daemon, $"state <> 'gone'", cancellation);
        // Options are checked where the whole volume is read.
        var invalid = all.Concat(_index.All).Where(v => v.Fault is not null).DistinctBy(v => v.Id).ToList();
        foreach (var volume in invalid)
        {
            yield return new Finding(
                "row-invalid", Severity.Error, $"volume {Quoted.Text(volume.Name)}", $"the row {volume.Id} of the table volumes is not valid: {volume.Fault}",
                "correct the row, or install the volman that wrote it; if nobody knows how it came there, see who has the password of the daemons' role")
            { Id = volume.Id };
        }

        var faulty = invalid.Select(v => v.Name).ToHashSet(StringComparer.Ordinal);
        // Without its index there may be two of a name.
        var rows = all.Where(v => v.IsLiving && !faulty.Contains(v.Name)).DistinctBy(v => v.Name, StringComparer.Ordinal).ToDictionary(v => v.Name, StringComparer.Ordinal);
        // After the rows, so that whatever they tell is known here by then.
        var known = (await daemon.Catalog.ListAsync(cancellation)).Where(v => v.IsLiving && !faulty.Contains(v.Name)).ToDictionary(v => v.Name, StringComparer.Ordinal);
        foreach (var name in rows.Keys.Union(known.Keys).Where(n => WhatDiffers(rows.GetValueOrDefault(n), known.GetValueOrDefault(n)) is not null).ToList())
        {
            if (await daemon.Locks.LookAsync(name, () => LookAtVolumeAsync(name, cancellation), cancellation) is { } finding) yield return finding;
        }

        var stored = await ReadClaimsAsync(null, cancellation);
        var own = _index.All.Where(v => v.IsMountedOn(daemon.Host.Id)).ToList();
        var ids = own.Where(IsToldOf).SelectMany(v => v.Mounts).Where(_index.IsOwn).Select(KeyOf).Except(stored.Select(c => c.Key))
            .Concat(stored.Select(c => c.Key).Except(own.SelectMany(v => v.Mounts).Select(KeyOf))).Select(key => key.VolumeId).Distinct().ToList();
        foreach (var id in ids)
        {
            var name = own.Find(v => v.Id == id)?.Name ?? stored.Find(c => c.Key.VolumeId == id).Name;
            if (await daemon.Locks.LookAsync(name, () => LookAtClaimsAsync(id, name, cancellation), cancellation) is { } finding) yield return finding;
        }
    }

    /// <summary>Claims of what another host has taken, or of what is gone, stay out of the catalog, and are told by other checks.</summary>
    bool IsToldOf(Volume volume) => !daemon.Mounts.IsGivenUp(volume) && volume.State != VolumeState.Gone;

    /// <returns>Null when this host knows the volume as the catalog has it, or knows something later.</returns>
    string? WhatDiffers(Volume? row, Volume? known)
    {
        if (row is null && known is null) return null;
        if (row is null) return "the catalog has no such volume any more";
        if (known is null) return "the catalog has it, and this host does not know it";
        // Of what others have changed since this host is told in time.
        if (daemon.Catalog.Scope == "global" && row.Revision > known.Revision) return null;
        if (daemon.Catalog.Scope == "global" && row.Revision < known.Revision && row.Id == known.Id && row.IsLiving) return null;
        (string What, object? Stored, object? Here)[] compared =
        [
            ("id", row.Id, known.Id), ("state", row.State, known.State), ("directory", row.Directory, known.Directory), ("backend", row.Backend, known.Backend),
            ("server", row.Server, known.Server), ("export", row.Export, known.Export), ("access", row.Access, known.Access), ("size", row.SizeBytes, known.SizeBytes),
            ("on-remove", row.OnRemove, known.OnRemove), ("epoch", row.Epoch, known.Epoch),
        ];
        var differences = compared.Where(c => !Equals(c.Stored, c.Here)).Select(c => $"{c.What} is {c.Stored ?? "none"} there and {c.Here ?? "none"} here").ToList();
        return differences.Count == 0 ? null : string.Join(", ", differences);
    }

    async Task<Finding?> LookAtVolumeAsync(string name, CancellationToken cancellation)
    {
        // What is known first: of the row that is read then whatever is news has a later revision.
        var known = _index.TryFind(name, out var found) && found.IsLiving ? found : null;
        var row = known is null
            ? (await StoredVolumes.ReadAsync(daemon, $"name = {name} AND state IN ('ready', 'removing', 'restoring')", cancellation)).FirstOrDefault()
            : (await StoredVolumes.ReadAsync(daemon, $"id = {known.Id}", cancellation)).FirstOrDefault();
        if (WhatDiffers(row, known) is not { } difference) return null;
        return new Finding(
            "volume-differs", Severity.Error, $"volume {name}", $"this host goes by another record of volume {name} than the catalog has: {difference}",
            "takes the volume as the catalog has it; if that does not do, start volman again")
        { Id = (row ?? known)!.Id, Repair = token => daemon.Locks.RepairAsync(name, () => daemon.Catalog.RereadAsync(name, token), token) };
    }

    async Task<Finding?> LookAtClaimsAsync(Guid id, string name, CancellationToken cancellation)
    {
        var own = _index.All.FirstOrDefault(v => v.Id == id) is { } volume && IsToldOf(volume) ? _index.OwnOf(id).Select(KeyOf).ToHashSet() : [];
        var stored = (await ReadClaimsAsync(id, cancellation)).ConvertAll(c => c.Key);
        if (own.SetEquals(stored)) return null;
        return new Finding(
            "claims-differ", Severity.Error, $"volume {name}",
            $"the catalog has {Count(stored.Count)} of this host of volume {name}, and this host knows of {Count(own.Count)}{(own.Count == stored.Count ? " that are others" : "")}: {(stored.Count < own.Count ? "it could be removed while it is in use" : "it cannot be removed although it could")}",
            "writes into the catalog what this host knows")
        { Id = id, Repair = token => daemon.Locks.RepairAsync(name, () => daemon.Catalog.TellMountsAsync(id, name), token) };
    }

    static string Count(int claims) => claims == 1 ? "1 claim" : $"{claims} claims";

    readonly record struct ClaimKey(Guid VolumeId, string Caller, int Count, string Boot, long Generation, long Epoch);

    static ClaimKey KeyOf(Mount m) => new(m.VolumeId, m.CallerId, m.Count, m.BootId, m.EngineGeneration, m.Epoch);

    async Task<List<(ClaimKey Key, string Name)>> ReadClaimsAsync(Guid? only, CancellationToken cancellation)
    {
        var claims = new List<(ClaimKey, string)>();
        await daemon.Catalog.ReadAsync(
            $"""
            SELECT m.volume_id, m.caller_id, m.count, m.boot_id, m.engine_generation, m.epoch, v.name FROM mounts m JOIN volumes v ON v.id = m.volume_id
            WHERE m.host_id = {daemon.Host.Id} AND (m.volume_id = {only ?? Guid.Empty} OR {only is null})
            """,
            row => claims.Add((new ClaimKey(row.GetGuid(0), row.GetString(1), row.GetInt32(2), row.GetString(3), row.GetInt64(4), row.GetInt64(5)), row.GetString(6))), cancellation);
        return claims;
    }
}
