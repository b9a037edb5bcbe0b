using System.Runtime.InteropServices;
using System.Text;

namespace VolumeManager.Benchmarks.Engine;

/// <summary>
/// What an engine does to ask once: connect, write, read the whole answer, close. Blocking calls on the caller's own thread and nothing allocated
/// per request, so that the figures are the server's as far as a client on the same cores allows (the C null server's row shows how far).
/// </summary>
internal sealed unsafe class EngineConnection : IDisposable
{
    const int PathCapacity = 108;

    readonly byte[] _address = GC.AllocateArray<byte>(2 + PathCapacity, pinned: true);
    readonly bool _keep;
    byte[] _received = GC.AllocateUninitializedArray<byte>(64 * 1024, pinned: true);
    Answer _answer = new();
    int _fd = -1;
    bool _inExchange;
    string? _fault;

    /// <param name="keep">Ask again on the same connection, as long as the server leaves it open.</param>
    internal EngineConnection(string socketPath, bool keep = false)
    {
        if (Encoding.UTF8.GetByteCount(socketPath) >= PathCapacity)
            throw new ArgumentException($"The path of a unix socket has fewer than {PathCapacity} bytes: {socketPath}", nameof(socketPath));
        _keep = keep;
        _address[0] = LibC.AF_UNIX;
        Encoding.UTF8.GetBytes(socketPath, _address.AsSpan(2));
    }

    /// <summary>The bytes of the last answer's body, as sent (a chunked one with its chunk heads).</summary>
    internal ReadOnlySpan<byte> Body => _received.AsSpan(_answer.HeadLength, _answer.Received - _answer.HeadLength);

    internal byte[] CopyOfBody() => _answer.Chunked ? Answer.Unchunk(Body) : Body.ToArray();

    /// <summary>Asks and reads the whole answer, having ended the exchange before it.</summary>
    internal void Ask(EngineRequest request)
    {
        EndExchange();
        if (_fd < 0)
            Connect();
        Send(request.Bytes);
        Receive();
        _inExchange = true;
    }

    /// <summary>Judges the answer and closes what it left open; outside the measured time, as an engine does it once it has the answer.</summary>
    internal void EndExchange()
    {
        if (!_inExchange)
            return;
        _inExchange = false;
        _fault ??= _answer.FaultIn(Body);
        if (!_keep || _answer.Closes)
            Close();
    }

    /// <summary>Null, or why one of the answers since the last call is not a success.</summary>
    internal string? TakeFault()
    {
        EndExchange();
        var fault = _fault;
        _fault = null;
        return fault;
    }

    public void Dispose() => Close();

    internal void Close()
    {
        if (_fd >= 0)
            _ = LibC.close(_fd);
        _fd = -1;
    }

    void Connect()
    {
        _fd = LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
        if (_fd < 0)
            throw LibC.Failure("socket");
        // 130 s: longer than the longest deadline of an engine, so that a hung server ends the run and not the patience.
        var timeout = stackalloc long[] { 130, 0 };
        _ = LibC.setsockopt(_fd, LibC.SOL_SOCKET, LibC.SO_RCVTIMEO, timeout, 16);
        fixed (byte* address = _address)
        {
            while (LibC.connect(_fd, address, (uint)_address.Length) < 0)
                ThrowUnlessInterrupted("connect");
        }
    }

    void Send(ReadOnlySpan<byte> request)
    {
        fixed (byte* bytes = request)
        {
            for (nint sent = 0; sent < request.Length;)
            {
                var n = LibC.send(_fd, bytes + sent, (nuint)(request.Length - sent), LibC.MSG_NOSIGNAL);
                if (n >= 0)
                    sent += n;
                else
                    ThrowUnlessInterrupted("send");
            }
        }
    }

    void Receive()
    {
        _answer = new Answer();
        while (!_answer.Complete)
        {
            if (_answer.Received == _received.Length)
                Grow();
            nint n;
            fixed (byte* bytes = _received)
                n = LibC.recv(_fd, bytes + _answer.Received, (nuint)(_received.Length - _answer.Received), 0);
            if (n >= 0)
                _answer.Add(_received, (int)n);
            else
                ThrowUnlessInterrupted("recv");
        }
    }

    void Grow()
    {
        var larger = GC.AllocateUninitializedArray<byte>(_received.Length * 4, pinned: true);
        _received.CopyTo(larger, 0);
        _received = larger;
    }

    static void ThrowUnlessInterrupted(string call)
    {
        if (Marshal.GetLastPInvokeError() != LibC.EINTR)
            throw LibC.Failure(call);
    }
}
