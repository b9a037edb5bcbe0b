using System.Runtime.CompilerServices;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Diagnosis;

/// <summary>Catalog against the engine's containers, by volume: a Mount id is not the id of its container. The engine may be another one than the one that mounts.</summary>
internal sealed class EngineChecks(HostDaemon daemon)
{
    readonly string _driver = Path.GetFileNameWithoutExtension(daemon.Settings.Socket);
    readonly VolumeIndex _index = daemon.Catalog.Index;

    /// <param name="AskedAt">By the catalog's clock, before the question.</param>
    sealed record Seen(DateTime AskedAt, IReadOnlyList<EngineApi.Container> Containers, IReadOnlyList<string> Volumes);

    internal async IAsyncEnumerable<Finding> LookAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        var (seen, why) = await TryAskAsync(cancellation);
        if (seen is null)
        {
            yield return new Finding("engine-unreachable", Severity.Note, daemon.Settings.EngineSocket, $"what the engine's containers use was not compared: {why}", "name the engine's socket with engine-socket, if volman may see it");
            yield break;
        }

        foreach (var name in UsedBy(seen, c => c.State is "running" or "paused").Where(IsUnclaimed))
        {
            if (await daemon.Locks.LookAsync(name, () => LookAtUnclaimedAsync(name, cancellation), cancellation) is { } finding) yield return finding;
        }

        foreach (var volume in _index.All.Where(v => IsUnused(v, seen)).ToList())
        {
            if (await daemon.Locks.LookAsync(volume.Name, () => LookAtUnusedAsync(volume, seen, cancellation), cancellation) is { } finding) yield return finding;
        }

        foreach (var name in seen.Volumes.Concat(UsedBy(seen, _ => true)).Distinct(StringComparer.Ordinal))
        {
            if (_index.TryFind(name, out _) || !VolumeName.IsValid(name) || await daemon.Catalog.FindAsync(name, cancellation) is not null) continue;
            var users = seen.Containers.Where(c => Has(c, name)).Select(c => c.Name).ToList();
            yield return new Finding(
                "volume-unknown", Severity.Warning, $"volume {name}", $"the engine knows a volume {name} of volman{(users.Count > 0 ? $" (of {(users.Count == 1 ? "container" : "containers")} {string.Join(", ", users)})" : "")}, and the catalog does not",
                "bring it back with volman volume restore or adopt, or remove the containers that name it");
        }
    }

    async Task<(Seen? Seen, string Why)> TryAskAsync(CancellationToken cancellation)
    {
        try
        {
            return (await AskAsync(cancellation), "");
        }
        catch (VolumeException e)
        {
            return (null, e.Message);
        }
    }

    async Task<Seen> AskAsync(CancellationToken cancellation)
    {
        using var engine = new EngineApi(daemon.Settings.EngineSocket);
        return new Seen(daemon.Catalog.Now, await engine.ListContainersAsync(cancellation), await engine.ListVolumesAsync(_driver, cancellation));
    }

    /// <summary>An engine calls a managed plugin by the name and tag of its image.</summary>
    bool IsOurs(string driver) => driver[(driver.LastIndexOf('/') + 1)..].Split(':')[0] == _driver;

    bool Has(EngineApi.Container container, string volume) => container.Volumes.Any(v => v.Name == volume && IsOurs(v.Driver));

    IEnumerable<string> UsedBy(Seen seen, Func<EngineApi.Container, bool> which) =>
        seen.Containers.Where(which).SelectMany(c => c.Volumes).Where(v => IsOurs(v.Driver)).Select(v => v.Name).Distinct(StringComparer.Ordinal);

    bool IsUnclaimed(string name) => _index.TryFind(name, out var volume) && !volume.IsMountedOn(daemon.Host.Id);

    async Task<Finding?> LookAtUnclaimedAsync(string name, CancellationToken cancellation)
    {
        // It may have ended, and have sent its Unmount, since the engine was asked.
        if (!IsUnclaimed(name) || (await AskAsync(cancellation)).Containers.Where(c => c.State is "running" or "paused" && Has(c, name)).Select(c => c.Name).ToList() is not { Count: > 0 } users) return null;
        return new Finding(
            "container-unclaimed", Severity.Error, $"volume {name}", $"{(users.Count == 1 ? "container" : "containers")} {string.Join(", ", users)} {(users.Count == 1 ? "uses" : "use")} volume {name}, and no caller of this host claims it: it could be removed, or be given to another host",
            $"restart {string.Join(", ", users)}");
    }

    /// <summary>Claimed before the engine was asked, and long enough ago for its container to have come up.</summary>
    bool IsUnused(Volume volume, Seen seen) => OldClaims(volume, seen).Any() && !seen.Containers.Any(c => c.IsUp && Has(c, volume.Name));

    IEnumerable<Mount> OldClaims(Volume volume, Seen seen)
    {
        var before = seen.AskedAt - daemon.Settings.EngineGrace;
        // A container that starts once more may come with the claim that its last run has left.
        return daemon.Mounts.IsClaimedSince(volume, before) ? [] : volume.Mounts.Where(m => _index.IsOwn(m) && m.MountedAt <= before);
    }

    async Task<Finding?> LookAtUnusedAsync(Volume suspect, Seen seen, CancellationToken cancellation)
    {
        if (!_index.TryFind(suspect.Name, out var volume) || volume.Id != suspect.Id || !IsUnused(volume, seen) || await daemon.Mounts.IsHeldByContainerAsync(volume, cancellation)) return null;
        var claims = OldClaims(volume, seen).ToList();
        return new Finding(
            "claim-unused", Severity.Warning, Finding.Of(volume), $"volume {volume.Name} is claimed here since {claims.Min(m => m.MountedAt):u} by {(claims.Count == 1 ? "a caller" : $"{claims.Count} callers")}, and the engine has no container that is up and uses it",
            "drops these claims and unmounts the volume, unless a container has come up; not without consent, for another engine may have made them")
        { Id = volume.Id, NeedsConsent = true, Repair = token => DropAsync(volume, token) };
    }

    async Task DropAsync(Volume volume, CancellationToken cancellation)
    {
        var seen = await AskAsync(cancellation);
        if (_index.TryFind(volume.Name, out var now) && now.Id == volume.Id && IsUnused(now, seen))
        {
            await daemon.Reconciler.DropUnusedAsync(volume.Name, seen.AskedAt - daemon.Settings.EngineGrace, "the engine has no container that uses it", cancellation);
        }
    }
}
