using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace VolumeManager.EndToEnd.Calls;

/// <summary>Speaks to a plugin's socket as an engine does: a POST without Content-Type, an answer of 200 with a JSON object.</summary>
internal sealed class PluginClient(string socketPath) : IDisposable
{
    readonly HttpClient _http = new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { BaseAddress = new Uri("http://plugin.moby.localhost"), Timeout = TimeSpan.FromSeconds(60) };

    /// <summary>The answer's Err: empty is success.</summary>
    public async Task<string> CallAsync(string verb, object request)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(request) + "\n"));
        using var response = await _http.PostAsync(new Uri($"/VolumeDriver.{verb}", UriKind.Relative), content);
        var text = await response.Content.ReadAsStringAsync();
        Assert.Equal(200, (int)response.StatusCode);
        return JsonElement.Parse(text).TryGetProperty("Err", out var error) ? error.GetString() ?? "" : "";
    }

    public void Dispose() => _http.Dispose();
}
