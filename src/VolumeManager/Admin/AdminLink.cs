using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace VolumeManager.Admin;

/// <summary>The way to a daemon's admin API: the socket of this host's, or TLS to any.</summary>
internal sealed class AdminLink : IDisposable
{
    // The daemon answers within its own deadline.
    static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);

    readonly HttpClient _http;
    readonly string _cure;

    AdminLink(SocketsHttpHandler handler, Uri address, string name, string cure)
    {
        handler.AllowAutoRedirect = false;
        _http = new HttpClient(handler) { BaseAddress = address, Timeout = s_patience };
        (Name, _cure) = (name, cure);
    }

    /// <summary>What it is called in messages.</summary>
    internal string Name { get; }

    internal static AdminLink OverSocket(string socket) => new(
        new SocketsHttpHandler { ConnectCallback = (_, cancellation) => ConnectAsync(socket, cancellation) }, new Uri("http://volman"),
        $"the volman on {socket}", "start volman serve, or name its socket with --admin-socket");

    /// <param name="authorities">Whom to trust beside, or rather than, those of the system; null for those.</param>
    internal static AdminLink OverTls(Uri address, string token, X509Certificate2Collection? authorities)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        if (authorities is not null)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(authorities);
        }

        var link = new AdminLink(handler, address, $"the volman at {address.GetLeftPart(UriPartial.Authority)}", "see to its setting admin-listen, or name another with --admin-url");
        link._http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return link;
    }

    /// <exception cref="VolumeException">No daemon answers, or not to the end, or it refused.</exception>
    internal async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, CancellationToken cancellation) =>
        (await SendAsync(method, path, body, type, asSeen: null, cancellation)).Answer;

    /// <param name="asSeen">The ETag of what is meant: another state of it is refused. Null for any.</param>
    /// <returns>The answer, and its ETag if it has one.</returns>
    /// <exception cref="VolumeException">No daemon answers, or not to the end, or it refused.</exception>
    internal Task<(T Answer, EntityTagHeaderValue? Tag)> SendAsync<T>(HttpMethod method, string path, HttpContent? body, JsonTypeInfo<T> type, EntityTagHeaderValue? asSeen, CancellationToken cancellation) => OrWhyNotAsync(async () =>
    {
        using var answer = await AskAsync(method, path, body, HttpCompletionOption.ResponseContentRead, cancellation, asSeen);
        return ((await answer.Content.ReadFromJsonAsync(type, cancellation))!, answer.Headers.ETag);
    });

    /// <summary>The lines of an answer that takes long, as they come. Whoever stops reading ends what is being done.</summary>
    /// <exception cref="VolumeException">No daemon answers, or not to the end, or it refused.</exception>
    internal async IAsyncEnumerable<T> FollowAsync<T>(string path, HttpContent body, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken cancellation)
    {
        using var answer = await OrWhyNotAsync(() => AskAsync(HttpMethod.Post, path, body, HttpCompletionOption.ResponseHeadersRead, cancellation));
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellation));
        while (await OrWhyNotAsync(() => lines.ReadLineAsync(cancellation).AsTask()) is { } line) yield return JsonSerializer.Deserialize(line, type)!;
    }

    /// <summary>Hands a text over as it comes.</summary>
    /// <exception cref="VolumeException">No daemon answers, or not to the end, or it refused.</exception>
    internal async Task ReadAsync(string path, Func<Stream, Task> read, CancellationToken cancellation)
    {
        using var answer = await OrWhyNotAsync(() => AskAsync(HttpMethod.Get, path, null, HttpCompletionOption.ResponseHeadersRead, cancellation));
        try
        {
            await read(await answer.Content.ReadAsStreamAsync(cancellation));
        }
        catch (Exception e) when (e is HttpIOException or IOException { InnerException: HttpRequestException or SocketException })
        {
            throw new VolumeException("the answer broke off, it is not whole: see volman's log, and ask for less if it takes long", e);
        }
    }

    async Task<HttpResponseMessage> AskAsync(HttpMethod method, string path, HttpContent? body, HttpCompletionOption until, CancellationToken cancellation, EntityTagHeaderValue? asSeen = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };
        if (asSeen is not null) request.Headers.IfMatch.Add(asSeen);
        if (body is not null) await body.LoadIntoBufferAsync(cancellation);
        var answer = await _http.SendAsync(request, until, cancellation);
        if (answer.StatusCode == HttpStatusCode.OK) return answer;
        using (answer) throw new VolumeException((await answer.Content.ReadFromJsonAsync(AdminJson.Default.Problem, cancellation))!.Detail);
    }

    async Task<T> OrWhyNotAsync<T>(Func<Task<T>> ask)
    {
        try
        {
            return await ask();
        }
        catch (Exception e) when (e is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError } && e.GetBaseException() is not SocketException { SocketErrorCode: SocketError.AccessDenied })
        {
            throw new NoDaemonException($"{NoDaemon}: {_cure}", e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException or TaskCanceledException { InnerException: TimeoutException })
        {
            throw new VolumeException(WhyNot(e), e);
        }
    }

    string NoDaemon => Name.Replace("the volman", "no volman answers", StringComparison.Ordinal);

    string WhyNot(Exception failure) => failure switch
    {
        _ when failure.GetBaseException() is SocketException { SocketErrorCode: SocketError.AccessDenied } =>
            $"only root may ask {Name.Replace("the volman on", "the volman that answers on", StringComparison.Ordinal)}: run this as root",
        HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } => failure.GetBaseException() is AuthenticationException { Message: var reason }
            ? $"{Name} is not trusted ({reason.TrimEnd('.')}): name the certificate of its authority with --admin-ca, and the name that its certificate has in --admin-url"
            : $"{Name} does not speak TLS as it should ({failure.GetBaseException().Message.TrimEnd('.')}): {_cure}",
        JsonException => $"{NoDaemon}: {_cure}",
        HttpRequestException or IOException => $"{Name} ended before it had answered: what it was asked for may be done or go on, see docker volume ls and volman trash ls",
        _ => $"{Name} has not answered within {s_patience.TotalMinutes:0} min: what it was asked for may go on, see docker volume ls and volman trash ls",
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

/// <summary>Nobody answers where a daemon should.</summary>
internal sealed class NoDaemonException(string message, Exception inner) : VolumeException(message, inner);
