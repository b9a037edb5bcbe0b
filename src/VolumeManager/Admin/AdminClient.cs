using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace VolumeManager.Admin;

/// <summary>Asks the daemon of this host, over its admin socket.</summary>
internal sealed class AdminClient(string socket) : IDisposable
{
    // The daemon answers within its own deadline.
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    // It is told from memory.
    static readonly TimeSpan s_statusPatience = TimeSpan.FromSeconds(5);

    readonly HttpClient _http = new(new SocketsHttpHandler { ConnectCallback = (_, cancellation) => ConnectAsync(socket, cancellation) })
    {
        BaseAddress = new Uri("http://volman"),
        Timeout = s_patience,
    };

    /// <exception cref="VolumeException">It does not serve, or not yet.</exception>
    internal async Task<StatusAnswer> StatusAsync(CancellationToken cancellation)
    {
        try
        {
            return await SendAsync(HttpMethod.Get, "/v1/status", null, AdminJson.Default.StatusAnswer, cancellation).WaitAsync(s_statusPatience, cancellation);
        }
        catch (TimeoutException e)
        {
            throw new VolumeException($"the volman on {socket} has not answered within {s_statusPatience.TotalSeconds:0} s: see its log, and start it anew if that lasts", e);
        }
    }

    /// <summary>All volumes that fit, a page after the other, in the order of their names.</summary>
    /// <param name="filters">As <c>host=one&amp;label=team%3Dweb</c>; empty for all.</param>
    internal async IAsyncEnumerable<VolumeView> ListVolumesAsync(string filters, [EnumeratorCancellation] CancellationToken cancellation)
    {
        string? after = null;
        do
        {
            var page = await SendAsync(
                HttpMethod.Get, $"/v1/volumes?{filters}{(after is null ? "" : $"&after={Uri.EscapeDataString(after)}")}", null, AdminJson.Default.VolumesAnswer, cancellation);
            foreach (var volume in page.Volumes) yield return volume;
            after = page.Next;
        }
        while (after is not null);
    }

    internal Task<VolumeView> FindVolumeAsync(string name, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Get, $"/v1/volumes/{Uri.EscapeDataString(name)}", null, AdminJson.Default.VolumeView, cancellation);

    internal Task<VolumeView> CreateVolumeAsync(string name, IReadOnlyDictionary<string, string?> options, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, "/v1/volumes", JsonContent.Create(new CreateRequest(name, options), AdminJson.Default.CreateRequest), AdminJson.Default.VolumeView, cancellation);

    internal Task<VolumeView> RemoveVolumeAsync(string name, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Delete, $"/v1/volumes/{Uri.EscapeDataString(name)}", null, AdminJson.Default.VolumeView, cancellation);

    /// <param name="filters">As <c>host=one&amp;volume=shop</c>; empty for all.</param>
    internal Task<MountsAnswer> ListMountsAsync(string filters, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Get, $"/v1/mounts?{filters}", null, AdminJson.Default.MountsAnswer, cancellation);

    internal Task<TrashAnswer> ListTrashAsync(CancellationToken cancellation) => SendAsync(HttpMethod.Get, "/v1/trash", null, AdminJson.Default.TrashAnswer, cancellation);

    /// <param name="which">An id or a name.</param>
    internal Task<TrashAnswer> PurgeAsync(string which, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Delete, $"/v1/trash/{Uri.EscapeDataString(which)}", null, AdminJson.Default.TrashAnswer, cancellation);

    /// <param name="which">An id or a name.</param>
    internal Task<RestoreAnswer> RestoreAsync(string which, string? asName, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, $"/v1/trash/{Uri.EscapeDataString(which)}/restore", JsonContent.Create(new RestoreRequest(asName), AdminJson.Default.RestoreRequest), AdminJson.Default.RestoreAnswer, cancellation);

    internal Task<DoctorAnswer> DiagnoseAsync(CancellationToken cancellation) => SendAsync(HttpMethod.Get, "/v1/doctor", null, DoctorJson.Default.DoctorAnswer, cancellation);

    internal Task<DoctorAnswer> RepairAsync(RepairRequest request, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, "/v1/doctor", JsonContent.Create(request, DoctorJson.Default.RepairRequest), DoctorJson.Default.DoctorAnswer, cancellation);

    /// <exception cref="VolumeException">No daemon answers, or not to the end, or it refused.</exception>
    async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, CancellationToken cancellation)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = body };
            if (body is not null) await body.LoadIntoBufferAsync(cancellation);
            using var answer = await _http.SendAsync(request, cancellation);
            if (answer.StatusCode != HttpStatusCode.OK) throw new VolumeException((await answer.Content.ReadFromJsonAsync(AdminJson.Default.Problem, cancellation))!.Detail);
            return (await answer.Content.ReadFromJsonAsync(type, cancellation))!;
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or TaskCanceledException { InnerException: TimeoutException })
        {
            throw new VolumeException(WhyNot(e), e);
        }
    }

    string WhyNot(Exception failure) => failure switch
    {
        _ when failure.GetBaseException() is SocketException { SocketErrorCode: SocketError.AccessDenied } => $"only root may ask the volman that answers on {socket}: run this as root",
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } or JsonException => $"no volman answers on {socket}: start volman serve, or name its socket with --admin-socket",
        HttpRequestException => $"the volman on {socket} ended before it had answered: what it was asked for may be done or go on, see docker volume ls and volman trash ls",
        _ => $"the volman on {socket} has not answered within {s_patience.TotalMinutes:0} min: what it was asked for may go on, see docker volume ls and volman trash ls",
    };

    /// <exception cref="SocketException">Nobody listens there, or who does is not for us.</exception>
    internal static async ValueTask<Stream> ConnectAsync(string socket, CancellationToken cancellation)
    {
        var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellation);
            return new NetworkStream(connection, ownsSocket: true);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    public void Dispose() => _http.Dispose();
}
