using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using VolumeManager.Tests.Hosts;

namespace VolumeManager.Tests.Admin;

/// <summary>Asks the admin API as an operator's program does.</summary>
internal sealed class OperatorClient(string socketPath) : IDisposable
{
    internal sealed record Reply(int Status, string ContentType, JsonElement Json)
    {
        /// <summary>Why it was refused; empty for success.</summary>
        internal string Detail => Status == 200 ? "" : Json.GetProperty("detail").GetString()!;
    }

    readonly HttpClient _http = new(new SocketsHttpHandler
    {
        ConnectCallback = async (_, cancellation) =>
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancellation);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    {
        BaseAddress = new Uri("http://volman"),
    };

    internal static OperatorClient Of(TestHost host) => new(host.Settings.AdminSocket);

    internal async Task<Reply> SendAsync(string method, string path, string? body = null)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") };
        using var answer = await _http.SendAsync(request);
        var type = answer.Content.Headers.ContentType?.MediaType ?? "";
        var text = await answer.Content.ReadAsStringAsync();
        // A line for each step of a copy; the last one says how it ended.
        if (type == "application/x-ndjson") text = text.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
        return new Reply((int)answer.StatusCode, type, JsonDocument.Parse(text).RootElement);
    }

    internal async Task<IReadOnlyList<JsonElement>> TrashAsync() => [.. (await SendAsync("GET", "/v1/trash")).Json.GetProperty("volumes").EnumerateArray()];

    internal Task<Reply> RestoreAsync(string which, string? asName = null) => SendAsync("POST", $"/v1/trash/{which}/restore", asName is null ? null : $$"""{"name":"{{asName}}"}""");

    public void Dispose() => _http.Dispose();
}
