using System.Text;

namespace VolumeManager.EndToEnd.Calls;

/// <summary>
/// Finds the requests in the bytes of one connection. An engine sends nothing but
/// <c>POST path HTTP/1.1</c>, header lines, an empty line and Content-Length bytes of JSON.
/// </summary>
internal sealed class RequestParser(Action<PluginCall> found)
{
    const string LengthHeader = "Content-Length:";

    readonly List<byte> _pending = [];

    public void Feed(ReadOnlySpan<byte> bytes)
    {
        _pending.AddRange(bytes);
        while (TakeRequest() is { } call)
            found(call);
    }

    PluginCall? TakeRequest()
    {
        var bytes = _pending.ToArray().AsSpan();
        var headLength = bytes.IndexOf("\r\n\r\n"u8);
        if (headLength < 0)
            return null;
        var head = Encoding.ASCII.GetString(bytes[..headLength]).Split("\r\n");
        var length = head.Select(ContentLength).FirstOrDefault(value => value is not null) ?? 0;
        var body = bytes[(headLength + 4)..];
        if (body.Length < length)
            return null;
        var call = PluginCall.Parse(head[0].Split(' ')[1], body[..length]);
        _pending.RemoveRange(0, headLength + 4 + length);
        return call;
    }

    static int? ContentLength(string line) =>
        line.StartsWith(LengthHeader, StringComparison.OrdinalIgnoreCase) ? int.Parse(line.AsSpan(LengthHeader.Length).Trim()) : null;
}
