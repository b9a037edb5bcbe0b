using System.Text.Json;

namespace VolumeManager.EndToEnd.Simulation;

/// <summary>What the shared catalog has of a schedule's volumes, in one moment.</summary>
internal sealed class Observation
{
    Observation(JsonElement catalog)
    {
        Volumes = [.. catalog.GetProperty("volumes").EnumerateArray().Select(v =>
            new VolumeRow(v[0].GetGuid(), v[1].GetString()!, v[2].GetString()!, v[3].GetInt64()))];
        Mounts = [.. catalog.GetProperty("mounts").EnumerateArray().Select(m => new MountRow(m[0].GetGuid(), m[1].GetString()!, m[2].GetString()!, m[3].GetInt32()))];
        Hosts = catalog.GetProperty("hosts").EnumerateArray().ToDictionary(h => h[0].GetString()!, h => new HostRow(h[1].GetBoolean(), h[2].GetDateTime().ToUniversalTime()));
    }

    internal sealed record VolumeRow(Guid Id, string Name, string State, long Epoch);

    internal sealed record MountRow(Guid Volume, string Host, string Caller, int Count);

    /// <param name="IsOver">Lease and grace are over: its exclusive volumes may be taken.</param>
    /// <param name="SeenAt">When it last had told all that it knew.</param>
    internal sealed record HostRow(bool IsOver, DateTime SeenAt);

    /// <summary>The removed ones too.</summary>
    public IReadOnlyList<VolumeRow> Volumes { get; }

    public IReadOnlyList<MountRow> Mounts { get; }
    public IReadOnlyDictionary<string, HostRow> Hosts { get; }

    public VolumeRow? Living(string name) => Volumes.FirstOrDefault(v => v.Name == name && v.State is "ready" or "removing");

    /// <summary>Who uses the living volume of a name.</summary>
    public IEnumerable<MountRow> RowsOf(string name) => Living(name) is { } volume ? Mounts.Where(m => m.Volume == volume.Id) : [];

    public bool IsReady(string name) => Living(name)?.State == "ready";

    /// <summary>Whether a host takes part in the cluster and has nothing left to tell it.</summary>
    public bool IsSettled(SimulatedHost host) => host.IsServing && !host.IsCut && Hosts.TryGetValue(host.Name, out var row) && row.SeenAt > host.UnsettledSince;

    public static async Task<Observation> OfAsync(Func<string, Task<string?>> ask, string prefix, TimeSpan grace) => new(JsonElement.Parse((await ask($"""
        SELECT json_build_object(
            'volumes', (SELECT COALESCE(json_agg(json_build_array(id, name, state, epoch)), '[]') FROM volumes WHERE name LIKE '{prefix}%'),
            'mounts', (SELECT COALESCE(json_agg(json_build_array(m.volume_id, h.name, m.caller_id, m.count)), '[]')
                       FROM mounts m JOIN volumes v ON v.id = m.volume_id JOIN hosts h ON h.id = m.host_id WHERE v.name LIKE '{prefix}%'),
            'hosts', (SELECT json_agg(json_build_array(name, lease_expires_at + interval '{grace.TotalSeconds} s' < now(), last_seen_at)) FROM hosts))::text
        """))!));
}
