using System.Buffers.Text;
using System.Text;

namespace VolumeManager.Benchmarks.Engine;

/// <summary>How far an HTTP/1.1 answer has come in: enough of the protocol to know its end, its status and its Err.</summary>
internal struct Answer
{
    int _status;
    long _contentLength = -1;

    public Answer()
    {
    }

    internal int Received { get; private set; }

    internal int HeadLength { get; private set; }

    internal bool Chunked { get; private set; }

    internal bool Closes { get; private set; }

    internal bool Complete { get; private set; }

    /// <param name="count">Bytes that came after those received so far; 0 when the server closed the connection.</param>
    internal void Add(ReadOnlySpan<byte> received, int count)
    {
        if (count == 0)
        {
            if (HeadLength == 0 || Chunked || _contentLength >= 0)
                throw new IOException($"the server closed the connection after {Received} bytes of an answer");
            Complete = true;
            return;
        }
        Received += count;
        received = received[..Received];
        if (HeadLength == 0)
        {
            var end = received.IndexOf("\r\n\r\n"u8);
            if (end < 0)
                return;
            HeadLength = end + 4;
            ReadHead(received[..end]);
        }
        // JSON has no raw carriage return, so this is the last chunk and nothing else.
        Complete = Chunked ? received[(HeadLength - 2)..].EndsWith("\r\n0\r\n\r\n"u8) : _contentLength >= 0 && Received - HeadLength >= _contentLength;
    }

    internal readonly string? FaultIn(ReadOnlySpan<byte> body)
    {
        if (_status != 200)
            return $"HTTP status {_status}: {Encoding.UTF8.GetString(body[..Math.Min(body.Length, 300)])}";
        var at = body.IndexOf("\"Err\":\""u8);
        if (at < 0 || body[at + 7] == (byte)'"')
            return null;
        var text = body[(at + 7)..];
        return Encoding.UTF8.GetString(text[..Math.Min(text.Length, 300)]);
    }

    internal static byte[] Unchunk(ReadOnlySpan<byte> body)
    {
        using var whole = new MemoryStream(body.Length);
        while (Utf8Parser.TryParse(body, out int length, out var digits, 'X') && length > 0)
        {
            whole.Write(body.Slice(digits + 2, length));
            body = body[(digits + 2 + length + 2)..];
        }
        return whole.ToArray();
    }

    void ReadHead(ReadOnlySpan<byte> head)
    {
        if (head.Length < 12 || !Utf8Parser.TryParse(head[9..12], out _status, out _))
            throw new IOException("the answer has no status line");
        foreach (var range in head.Split("\r\n"u8))
        {
            var line = head[range];
            if (StartsWith(line, "Content-Length: "))
                _ = Utf8Parser.TryParse(line[16..], out _contentLength, out _);
            else if (StartsWith(line, "Transfer-Encoding: chunked"))
                Chunked = true;
            else if (StartsWith(line, "Connection: close"))
                Closes = true;
        }
        if (_contentLength < 0 && !Chunked)
            Closes = true;
    }

    static bool StartsWith(ReadOnlySpan<byte> line, string start) => line.Length >= start.Length && Ascii.EqualsIgnoreCase(line[..start.Length], start);
}
