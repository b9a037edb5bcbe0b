using VolumeManager.Catalog;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>The volumes and their mounts: filters, and pages in the order of the names.</summary>
internal static class VolumeRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/volumes", "The volumes in the order of their names, with what they hold and who uses them", AdminJson.Default.VolumesAnswer, ListAsync)
        {
            Query =
            [
                QueryParameter.Text("label", "Only volumes with this label, or with this value of it: key or key=value"),
                QueryParameter.Text("host", "Only volumes that the host of this name has mounted"),
                QueryParameter.OneOf("state", "Only volumes in this state", [.. new[] { VolumeState.Ready, VolumeState.Removing, VolumeState.Restoring }.Select(EnumText.Of)]),
                .. QueryParameter.Page,
            ],
        },
        new("POST", "/v1/volumes", "Make a volume, as docker volume create does", AdminJson.Default.VolumeView, async call =>
        {
            var request = await call.ReadAsync<CreateRequest>();
            CheckName(request.Name);
            if (request.DryRun) return await PlanAsync(call, request);
            await call.Daemon.Volumes.CreateAsync(request.Name, request.Options, call.Cancellation);
            return await ViewAsync(call, request.Name);
        }) { Request = AdminJson.Default.CreateRequest },
        new("GET", "/v1/volumes/{name}", "All that is known of a volume", AdminJson.Default.VolumeView, async call => await ViewAsync(call, call["name"])),
        new("DELETE", "/v1/volumes/{name}", "Remove a volume, as docker volume rm does; the answer is what it was", AdminJson.Default.VolumeView, async call =>
        {
            var isMeant = call.Match<Volume, VolumeView>(volume => VolumeView.Of(volume, call.Daemon), AdminJson.Default.VolumeView);
            var volumes = call.Daemon.Volumes;
            var was = await (call.Filters.Flag("dry_run") ? volumes.PlanRemovalAsync(call["name"], call.Cancellation, isMeant) : volumes.RemoveAsync(call["name"], call.Cancellation, isMeant));
            return was is null ? throw new NoSuchVolumeException(call["name"]) : VolumeView.Of(was, call.Daemon);
        }) { Query = [QueryParameter.DryRun("Only tell whether it could be removed")] },
        new("GET", "/v1/mounts", "The mounts in the order of their volumes' names: each is a mount id of an engine that uses a volume", AdminJson.Default.MountsAnswer, ListMountsAsync)
        {
            Query = [QueryParameter.Text("volume", "Only mounts of the volume of this name"), QueryParameter.Text("host", "Only mounts of the host of this name"), .. QueryParameter.Page],
        },
    ];

    static async Task<object> ListAsync(Call call)
    {
        var (daemon, filters) = (call.Daemon, call.Filters);
        var (label, host, state, after, limit) = (filters.Value("label"), filters.Value("host"), filters.Value("state"), filters.Value("after"), filters.Number("limit"));
        var (key, value) = label?.Split('=', 2) is [var k, var v] ? (k, v) : (label, null);
        var found = (await daemon.Catalog.ListAsync(call.Cancellation))
            .Where(volume => (key is null || (volume.Labels.TryGetValue(key, out var has) && (value is null || has == value)))
                && (host is null || volume.Mounts.Any(m => daemon.Catalog.InfoOf(m.HostId).Name == host))
                && (state is null || EnumText.Of(volume.State) == state)
                && (after is null || string.CompareOrdinal(volume.Name, after) > 0))
            .OrderBy(volume => volume.Name, StringComparer.Ordinal)
            .Take(limit + 1)
            .ToList();
        return new VolumesAnswer([.. found.Take(limit).Select(volume => VolumeView.Of(volume, daemon))], found.Count > limit ? found[limit - 1].Name : null);
    }

    static async Task<VolumeView> PlanAsync(Call call, CreateRequest request)
    {
        var (volume, isThere) = await call.Daemon.Volumes.PlanAsync(request.Name, request.Options, call.Cancellation);
        var view = VolumeView.Of(volume, call.Daemon);
        return isThere ? view : view with { State = VolumeView.Planned };
    }

    /// <exception cref="BadRequestException">No volume can have this name.</exception>
    internal static void CheckName(string name)
    {
        if (!VolumeName.IsValid(name)) throw new BadRequestException(VolumeName.Refusal(name));
    }

    /// <exception cref="NoSuchVolumeException">There is none of that name.</exception>
    internal static async Task<VolumeView> ViewAsync(Call call, string name) => VolumeView.Of(
        VolumeName.IsValid(name) && await call.Daemon.Catalog.FindAsync(name, call.Cancellation) is { } volume ? volume : throw new NoSuchVolumeException(name), call.Daemon);

    static async Task<object> ListMountsAsync(Call call)
    {
        var (name, host, limit, after) = (call.Filters.Value("volume"), call.Filters.Value("host"), call.Filters.Number("limit"), After(call));
        var catalog = call.Daemon.Catalog;
        List<(Volume Volume, Mount Mount)> found = [.. (await catalog.ListAsync(call.Cancellation))
            .Where(volume => name is null || volume.Name == name)
            .SelectMany(volume => volume.Mounts.Select(mount => (volume, mount)))
            .Where(m => (host is null || catalog.InfoOf(m.mount.HostId).Name == host) && (after is null || Compare(KeyOf(m), after.Value) > 0))
            .OrderBy(KeyOf, Comparer<MountKey>.Create(Compare))
            .Take(limit + 1)];
        var next = found.Count > limit ? KeyOf(found[limit - 1]) : default(MountKey?);
        return new MountsAnswer([.. found.Take(limit).Select(m => MountView.Of(m.Volume, m.Mount, catalog))], next is { } last ? $"{last.Volume}/{last.Host}/{last.Caller}" : null);
    }

    /// <summary>What the mounts are in order of.</summary>
    readonly record struct MountKey(string Volume, Guid Host, string Caller);

    static MountKey KeyOf((Volume Volume, Mount Mount) mount) => new(mount.Volume.Name, mount.Mount.HostId, mount.Mount.CallerId);

    static int Compare(MountKey a, MountKey b) => string.CompareOrdinal(a.Volume, b.Volume) is not 0 and var byVolume ? byVolume
        : a.Host.CompareTo(b.Host) is not 0 and var byHost ? byHost
        : string.CompareOrdinal(a.Caller, b.Caller);

    static MountKey? After(Call call) => call.Filters.Value("after") is not { } text ? null
        : text.Split('/', 3) is [var volume, var id, var caller] && Guid.TryParse(id, out var host) ? new MountKey(volume, host, caller)
        : throw QueryFilters.NoNext();
}
