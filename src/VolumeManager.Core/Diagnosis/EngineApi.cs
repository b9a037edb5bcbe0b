using System.Net.Sockets;
using System.Text.Json;

namespace VolumeManager.Diagnosis;

/// <summary>Asks the engine of this host what it has, over its own socket. It may ask its volume drivers in turn, so this is for operators' questions alone.</summary>
internal sealed class EngineApi : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    readonly HttpClient _http;
    readonly string _socket;

    internal EngineApi(string socket)
    {
        _socket = socket;
        _http = new HttpClient(new SocketsHttpHandler { ConnectCallback = ConnectAsync }) { BaseAddress = new Uri("http://engine"), Timeout = s_patience };
    }

    /// <param name="State"><c>created</c>, <c>running</c>, <c>paused</c>, <c>restarting</c>, <c>removing</c>, <c>exited</c> or <c>dead</c>.</param>
    /// <param name="Volumes">Those that it mounts, each with its driver.</param>
    internal sealed record Container(string Name, string State, IReadOnlyList<(string Name, string Driver)> Volumes)
    {
        /// <summary>Whether it has its volumes mounted, or is about to.</summary>
        internal bool IsUp => State is not ("exited" or "dead");
    }

    /// <exception cref="VolumeException">The engine does not answer as an engine.</exception>
    internal Task<List<Container>> ListContainersAsync(CancellationToken cancellation) => AskAsync("/containers/json?all=true", Read, cancellation);

    /// <summary>The names of the volumes that the engine has of a driver.</summary>
    /// <exception cref="VolumeException">The engine does not answer as an engine.</exception>
    internal Task<List<string>> ListVolumesAsync(string driver, CancellationToken cancellation) => AskAsync(
        $"/volumes?filters={Uri.EscapeDataString($$"""{"driver":["{{JsonEncodedText.Encode(driver)}}"]}""")}",
        json => json.GetProperty("Volumes") is { ValueKind: JsonValueKind.Array } volumes ? [.. volumes.EnumerateArray().Where(v => Text(v, "Driver") == driver).Select(v => Text(v, "Name"))] : new List<string>(),
        cancellation);

    static List<Container> Read(JsonElement json) => [.. json.EnumerateArray().Select(c => new Container(
        c.TryGetProperty("Names", out var names) && names is { ValueKind: JsonValueKind.Array } && names.GetArrayLength() > 0 ? names[0].GetString()!.TrimStart('/') : Text(c, "Id"),
        Text(c, "State"),
        c.TryGetProperty("Mounts", out var mounts) && mounts is { ValueKind: JsonValueKind.Array }
            ? [.. mounts.EnumerateArray().Where(m => Text(m, "Type") == "volume").Select(m => (Text(m, "Name"), Text(m, "Driver")))]
            : []))];

    static string Text(JsonElement json, string key) => json.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    async Task<T> AskAsync<T>(string path, Func<JsonElement, T> read, CancellationToken cancellation)
    {
        try
        {
            await using var body = await _http.GetStreamAsync(new Uri(path, UriKind.Relative), cancellation);
            using var json = await JsonDocument.ParseAsync(body, default, cancellation);
            return read(json.RootElement);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException or KeyNotFoundException or InvalidOperationException || (e is TaskCanceledException && !cancellation.IsCancellationRequested))
        {
            throw new VolumeException($"the engine cannot be asked over {_socket} ({(e is TaskCanceledException ? $"no answer within {s_patience.TotalSeconds:0} s" : e.Message)})", e);
        }
    }

    async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellation)
    {
        var connection = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await connection.ConnectAsync(new UnixDomainSocketEndPoint(_socket), cancellation);
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
