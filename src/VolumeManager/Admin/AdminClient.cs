using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization.Metadata;

namespace VolumeManager.Admin;

/// <summary>What the admin API can be asked and told.</summary>
internal sealed class AdminClient(AdminLink link) : IDisposable
{
    // It is told from memory.
    static readonly TimeSpan s_statusPatience = TimeSpan.FromSeconds(5);

    /// <exception cref="VolumeException">It does not serve, or not yet.</exception>
    internal async Task<StatusAnswer> StatusAsync(CancellationToken cancellation)
    {
        try
        {
            return await link.SendAsync(HttpMethod.Get, "/v1/status", null, AdminJson.Default.StatusAnswer, cancellation).WaitAsync(s_statusPatience, cancellation);
        }
        catch (TimeoutException e)
        {
            throw new VolumeException($"{link.Name} has not answered within {s_statusPatience.TotalSeconds:0} s: see its log, and start it anew if that lasts", e);
        }
    }

    internal async Task<IReadOnlyList<ExportView>> ListExportsAsync(CancellationToken cancellation) =>
        (await link.SendAsync(HttpMethod.Get, "/v1/exports", null, AdminJson.Default.ExportsAnswer, cancellation)).Exports;

    /// <summary>All volumes that fit, a page after the other, in the order of their names.</summary>
    /// <param name="filters">As <c>host=one&amp;label=team%3Dweb</c>; empty for all.</param>
    internal async IAsyncEnumerable<VolumeView> ListVolumesAsync(string filters, [EnumeratorCancellation] CancellationToken cancellation)
    {
        await foreach (var page in PagesAsync("/v1/volumes", filters, AdminJson.Default.VolumesAnswer, page => page.Next, cancellation))
        {
            foreach (var volume in page.Volumes) yield return volume;
        }
    }

    async IAsyncEnumerable<T> PagesAsync<T>(string path, string filters, JsonTypeInfo<T> type, Func<T, string?> next, [EnumeratorCancellation] CancellationToken cancellation)
    {
        string? after = null;
        do
        {
            var page = await link.SendAsync(HttpMethod.Get, $"{path}?{filters}{(after is null ? "" : $"&after={Uri.EscapeDataString(after)}")}", null, type, cancellation);
            yield return page;
            after = next(page);
        }
        while (after is not null);
    }

    internal async Task<VolumeView> FindVolumeAsync(string name, CancellationToken cancellation) => (await LookAtVolumeAsync(name, cancellation)).Volume;

    /// <returns>The volume, and what tells this state of it from others.</returns>
    internal Task<(VolumeView Volume, EntityTagHeaderValue? Tag)> LookAtVolumeAsync(string name, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Get, $"/v1/volumes/{Uri.EscapeDataString(name)}", null, AdminJson.Default.VolumeView, asSeen: null, cancellation);

    internal Task<VolumeView> CreateVolumeAsync(CreateRequest request, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Post, "/v1/volumes", JsonContent.Create(request, AdminJson.Default.CreateRequest), AdminJson.Default.VolumeView, cancellation);

    /// <param name="asSeen">The state of it that is meant; null for any.</param>
    internal async Task<VolumeView> RemoveVolumeAsync(string name, bool dryRun, EntityTagHeaderValue? asSeen, CancellationToken cancellation) =>
        (await link.SendAsync(HttpMethod.Delete, $"/v1/volumes/{Uri.EscapeDataString(name)}{DryRun(dryRun)}", null, AdminJson.Default.VolumeView, asSeen, cancellation)).Answer;

    internal Task<SetAnswer> SetVolumeAsync(string name, SetRequest request, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Patch, $"/v1/volumes/{Uri.EscapeDataString(name)}", JsonContent.Create(request, AdminJson.Default.SetRequest), AdminJson.Default.SetAnswer, cancellation);

    /// <summary>How it goes on, until it is done.</summary>
    internal IAsyncEnumerable<CopyLine> MoveVolumeAsync(string name, MoveRequest request, CancellationToken cancellation) =>
        link.FollowAsync($"/v1/volumes/{Uri.EscapeDataString(name)}/move", JsonContent.Create(request, AdminJson.Default.MoveRequest), AdminJson.Default.CopyLine, cancellation);

    /// <summary>How it goes on, until it is done.</summary>
    internal IAsyncEnumerable<CopyLine> CloneVolumeAsync(string name, CloneRequest request, CancellationToken cancellation) =>
        link.FollowAsync($"/v1/volumes/{Uri.EscapeDataString(name)}/clone", JsonContent.Create(request, AdminJson.Default.CloneRequest), AdminJson.Default.CopyLine, cancellation);

    /// <param name="filters">As <c>backend=nfs&amp;server=files</c>; empty for where new volumes go.</param>
    internal Task<AdoptableAnswer> FindAdoptableAsync(string filters, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Get, $"/v1/adoptable?{filters}", null, AdminJson.Default.AdoptableAnswer, cancellation);

    /// <param name="filters">As <c>host=one&amp;volume=shop</c>; empty for all.</param>
    internal async Task<IReadOnlyList<MountView>> ListMountsAsync(string filters, CancellationToken cancellation) =>
        await PagesAsync("/v1/mounts", filters, AdminJson.Default.MountsAnswer, page => page.Next, cancellation).SelectMany(page => page.Mounts).ToListAsync(cancellation);

    internal async Task<IReadOnlyList<TrashedVolume>> ListTrashAsync(CancellationToken cancellation) =>
        await PagesAsync("/v1/trash", "", AdminJson.Default.TrashAnswer, page => page.Next, cancellation).SelectMany(page => page.Volumes).ToListAsync(cancellation);

    /// <summary>The newest events that fit.</summary>
    /// <param name="filters">As <c>kind=create&amp;limit=10</c>.</param>
    internal async Task<IReadOnlyList<EventView>> ListEventsAsync(string filters, CancellationToken cancellation) =>
        (await link.SendAsync(HttpMethod.Get, $"/v1/events?{filters}", null, AdminJson.Default.EventsAnswer, cancellation)).Events;

    internal async Task<IReadOnlyList<HostView>> ListHostsAsync(CancellationToken cancellation) =>
        (await link.SendAsync(HttpMethod.Get, "/v1/hosts", null, AdminJson.Default.HostsAnswer, cancellation)).Hosts;

    internal Task<EvictAnswer> EvictAsync(string host, EvictRequest request, CancellationToken cancellation) => link.SendAsync(
        HttpMethod.Post, $"/v1/hosts/{Uri.EscapeDataString(host)}/evict", JsonContent.Create(request, AdminJson.Default.EvictRequest), AdminJson.Default.EvictAnswer, cancellation);

    /// <param name="which">An id or a name.</param>
    internal Task<TrashAnswer> PurgeAsync(string which, bool dryRun, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Delete, $"/v1/trash/{Uri.EscapeDataString(which)}{DryRun(dryRun)}", null, AdminJson.Default.TrashAnswer, cancellation);

    /// <param name="which">An id or a name.</param>
    internal Task<RestoreAnswer> RestoreAsync(string which, RestoreRequest request, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Post, $"/v1/trash/{Uri.EscapeDataString(which)}/restore", JsonContent.Create(request, AdminJson.Default.RestoreRequest), AdminJson.Default.RestoreAnswer, cancellation);

    internal async Task<IReadOnlyList<TokenView>> ListTokensAsync(CancellationToken cancellation) =>
        (await link.SendAsync(HttpMethod.Get, "/v1/tokens", null, AdminJson.Default.TokensAnswer, cancellation)).Tokens;

    internal Task<DoctorAnswer> DiagnoseAsync(CancellationToken cancellation) => link.SendAsync(HttpMethod.Get, "/v1/doctor", null, DoctorJson.Default.DoctorAnswer, cancellation);

    internal Task<DoctorAnswer> RepairAsync(RepairRequest request, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Post, "/v1/doctor", JsonContent.Create(request, DoctorJson.Default.RepairRequest), DoctorJson.Default.DoctorAnswer, cancellation);

    /// <summary>Asks for a report and hands its text over as it comes.</summary>
    /// <param name="query">As <c>format=csv&amp;since=30d</c>.</param>
    internal Task ReadReportAsync(string name, string query, Func<Stream, Task> read, CancellationToken cancellation) => link.ReadAsync($"/v1/reports/{name}?{query}", read, cancellation);

    internal Task<NewToken> CreateTokenAsync(TokenRequest request, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Post, "/v1/tokens", JsonContent.Create(request, AdminJson.Default.TokenRequest), AdminJson.Default.NewToken, cancellation);

    internal Task<RemovedToken> RemoveTokenAsync(string name, bool dryRun, CancellationToken cancellation) =>
        link.SendAsync(HttpMethod.Delete, $"/v1/tokens/{Uri.EscapeDataString(name)}{DryRun(dryRun)}", null, AdminJson.Default.RemovedToken, cancellation);

    static string DryRun(bool isOne) => isOne ? "?dry_run=true" : "";

    public void Dispose() => link.Dispose();
}
