using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace VolumeManager.TestSupport.Plugins;

/// <summary>Speaks to a plugin's socket as an engine does, byte for byte: a POST without Content-Type, a new connection for each call.</summary>
internal sealed class PluginClient(string socketPath)
{
    internal const string Accept = "application/vnd.docker.plugins.v1.2+json";

    /// <summary>The answer as it came: status line and headers, and the body.</summary>
    internal sealed record Reply(string Head, string Body)
    {
        internal int Status => Head.Length == 0 ? 0 : int.Parse(Head.Split(' ')[1]);

        /// <summary>True when the connection was closed without an answer.</summary>
        internal bool Aborted => Head.Length == 0;

        internal JsonElement Json => JsonDocument.Parse(Body).RootElement;

        internal string Err => Json.TryGetProperty("Err", out var error) ? error.GetString() ?? "" : "";

        internal string? Header(string name) => Head.Split("\r\n").Skip(1)
            .Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).Select(line => line[(name.Length + 1)..].Trim()).FirstOrDefault();
    }

    internal static byte[] Request(string path, string? body, string method = "POST", string host = "plugin.moby.localhost", string? accept = Accept, int? contentLength = null)
    {
        var bytes = Encoding.UTF8.GetBytes(body ?? "");
        var head = $"{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {contentLength ?? bytes.Length}\r\n"
            + (accept is null ? "" : $"Accept: {accept}\r\n") + "\r\n";
        return [.. Encoding.ASCII.GetBytes(head), .. bytes];
    }

    internal Task<Reply> CallAsync(string path, string? body) => SendAsync(Request(path, body));

    /// <summary>Calls a verb of a volume driver.</summary>
    internal Task<Reply> CallAsync(string verb, object request) => CallAsync($"/VolumeDriver.{verb}", JsonSerializer.Serialize(request) + "\n");

    internal async Task<Reply> SendAsync(byte[] request, bool halfClose = false)
    {
        using var socket = await ConnectAsync();
        await socket.SendAsync(request);
        if (halfClose) socket.Shutdown(SocketShutdown.Send);
        return await ReceiveAsync(socket);
    }

    internal async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath));
        return socket;
    }

    internal static async Task<Reply> ReceiveAsync(Socket socket)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        var received = new MemoryStream();
        var buffer = new byte[65536];
        try
        {
            while (await socket.ReceiveAsync(buffer, deadline.Token) is > 0 and var length) received.Write(buffer, 0, length);
        }
        catch (SocketException)
        {
            // Reset: what came until then counts.
        }

        var text = Encoding.UTF8.GetString(received.ToArray());
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0) return new Reply("", "");
        var reply = new Reply(text[..end], text[(end + 4)..]);
        if (reply.Header("Transfer-Encoding") != "chunked") return reply;
        return Dechunk(received.ToArray(), Encoding.UTF8.GetByteCount(text[..(end + 4)])) is { } body ? reply with { Body = body } : new Reply("", "");
    }

    /// <returns>Null when the last chunk is missing: the server ended while it answered.</returns>
    static string? Dechunk(byte[] bytes, int at)
    {
        var body = new MemoryStream();
        while (true)
        {
            var length = at < bytes.Length ? bytes.AsSpan(at).IndexOf("\r\n"u8) : -1;
            if (length < 0) return null;
            var lineEnd = at + length;
            var size = Convert.ToInt32(Encoding.ASCII.GetString(bytes, at, lineEnd - at), 16);
            if (size == 0) return Encoding.UTF8.GetString(body.ToArray());
            if (lineEnd + 2 + size > bytes.Length) return null;
            body.Write(bytes, lineEnd + 2, size);
            at = lineEnd + 2 + size + 2;
        }
    }

    static string Named(string name, string? id = null, object? options = null)
    {
        var fields = new Dictionary<string, object?> { ["Name"] = name };
        if (id is not null) fields["ID"] = id;
        if (options is not null) fields["Opts"] = options;
        return JsonSerializer.Serialize(fields) + "\n";
    }

    /// <summary>Each returns the answer's Err, empty for success.</summary>
    internal async Task<string> CreateAsync(string name, object? options = null) => (await CallAsync("/VolumeDriver.Create", Named(name, options: options))).Err;

    internal async Task<string> RemoveAsync(string name) => (await CallAsync("/VolumeDriver.Remove", Named(name))).Err;

    internal async Task<string> MountAsync(string name, string? id) => (await CallAsync("/VolumeDriver.Mount", Named(name, id))).Err;

    internal async Task<string> UnmountAsync(string name, string? id) => (await CallAsync("/VolumeDriver.Unmount", Named(name, id))).Err;

    internal Task<Reply> GetAsync(string name) => CallAsync("/VolumeDriver.Get", Named(name));

    internal Task<Reply> ActivateAsync() => CallAsync("/Plugin.Activate", null);

    internal async Task<string> PathAsync(string name) => (await CallAsync("/VolumeDriver.Path", Named(name))).Json.GetProperty("Mountpoint").GetString()!;

    internal async Task<IReadOnlyList<string>> ListAsync() => [.. (await CallAsync("/VolumeDriver.List", "{}\n")).Json
        .GetProperty("Volumes").EnumerateArray().Select(v => v.GetProperty("Name").GetString()!).Order(StringComparer.Ordinal)];
}
