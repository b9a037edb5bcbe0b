using VolumeManager.Catalog;
using VolumeManager.Hosts;

namespace VolumeManager.Admin;

/// <summary>The hosts of a cluster, and the word that one of them is no more.</summary>
internal static class HostRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/hosts", "The hosts by name, the evicted ones last", AdminJson.Default.HostsAnswer,
            async call => new HostsAnswer([.. (await call.Daemon.Catalog.ListHostsAsync(call.Cancellation)).Select(HostView.Of)])),
        new("POST", "/v1/hosts/{name}/evict", "Free all that a lost host holds; make sure first that the machine is off", AdminJson.Default.EvictAnswer, async call =>
        {
            var request = await call.ReadAsync<EvictRequest>();
            return EvictAnswer.Of(call["name"], await call.Daemon.Catalog.EvictAsync(call["name"], History.Actor ?? "the admin API", request.Force, request.DryRun));
        }) { Request = AdminJson.Default.EvictRequest, IsRequestOptional = true },
    ];
}

/// <summary>A host as an operator sees it.</summary>
/// <param name="State"><c>live</c>, <c>lost</c> or <c>evicted</c>, by the catalog's clock.</param>
/// <param name="Mounts">How many mounts it holds.</param>
/// <param name="Address">By which other hosts know it; null when that is not known.</param>
internal sealed record HostView(Guid Id, string Name, string State, long Mounts, string? Address, DateTime LastSeenAt, string Version)
{
    internal static HostView Of(HostListing host) => new(host.Id, host.Name, host.State, host.Mounts, host.Address, host.LastSeenAt, host.Version);
}

internal sealed record HostsAnswer(IReadOnlyList<HostView> Hosts);

/// <param name="Force">Even a host that is live: its containers are not stopped, and can go on writing.</param>
/// <param name="DryRun">Only tell what would become of what it holds.</param>
internal sealed record EvictRequest(bool Force = false, bool DryRun = false);

/// <summary>What became of what a host held or, in a dry run, would become of it.</summary>
/// <param name="Mounts">How many were dropped.</param>
/// <param name="ExclusiveVolumes">Those that are free now.</param>
/// <param name="Exports">What hosts of the cluster serve, and whether it is shut out of that.</param>
internal sealed record EvictAnswer(string Host, int Mounts, IReadOnlyList<string> ExclusiveVolumes, IReadOnlyList<ClosedExport> Exports)
{
    internal static EvictAnswer Of(string host, Eviction.Evicted evicted) => new(host, evicted.Mounts, evicted.Exclusive, [.. evicted.Exports.Select(e => new ClosedExport(e.Source, e.Server, e.IsDone))]);
}

/// <param name="Host">Who serves it.</param>
internal sealed record ClosedExport(string Source, string Host, bool IsShutOut);
