using System.Text;

namespace VolumeManager.Benchmarks.Engine;

/// <summary>
/// One request byte for byte as an engine of today sends it: POST, no Content-Type, one JSON object and a line feed.
/// The name and the caller's id have a fixed width, so a worker patches digits instead of formatting a request.
/// </summary>
internal sealed class EngineRequest
{
    const int NameDigits = 8;
    const int CallerDigits = 16;
    static readonly string CallerHead = new('c', 64 - CallerDigits);

    readonly byte[] _bytes;
    readonly int _nameEnd;
    readonly int _callerEnd;

    EngineRequest(string route, string body)
    {
        var text = $"POST /{route} HTTP/1.1\r\nHost: plugin.moby.localhost\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {body.Length}\r\n"
            + $"Accept: application/vnd.docker.plugins.v1.2+json\r\n\r\n{body}";
        _bytes = Encoding.ASCII.GetBytes(text);
        _nameEnd = text.IndexOf('#', StringComparison.Ordinal) + NameDigits;
        _callerEnd = text.IndexOf('@', StringComparison.Ordinal) + CallerDigits;
    }

    internal ReadOnlySpan<byte> Bytes => _bytes;

    internal static EngineRequest Activate() => new("Plugin.Activate", "");

    internal static EngineRequest Capabilities() => new("VolumeDriver.Capabilities", "{}\n");

    internal static EngineRequest List() => new("VolumeDriver.List", "{}\n");

    internal static EngineRequest Create(string prefix) => new("VolumeDriver.Create", $$"""{"Name":"{{NameField(prefix)}}","Opts":null}{{"\n"}}""");

    internal static EngineRequest Get(string prefix) => OfName("Get", prefix);

    internal static EngineRequest Path(string prefix) => OfName("Path", prefix);

    internal static EngineRequest Remove(string prefix) => OfName("Remove", prefix);

    internal static EngineRequest Mount(string prefix) => OfCaller("Mount", prefix);

    internal static EngineRequest Unmount(string prefix) => OfCaller("Unmount", prefix);

    /// <summary>Names the volume <c>prefix + number</c>, eight digits wide.</summary>
    internal EngineRequest Volume(int number)
    {
        for (var at = _nameEnd; at > _nameEnd - NameDigits; number /= 10)
            _bytes[--at] = (byte)('0' + number % 10);
        return this;
    }

    /// <summary>Writes the last sixteen hexadecimal digits of the caller's id.</summary>
    internal EngineRequest Caller(long id)
    {
        for (var at = _callerEnd; at > _callerEnd - CallerDigits; id >>>= 4)
            _bytes[--at] = (byte)"0123456789abcdef"[(int)(id & 15)];
        return this;
    }

    static string NameField(string prefix) => prefix + new string('#', NameDigits);

    static EngineRequest OfName(string verb, string prefix) => new($"VolumeDriver.{verb}", $$"""{"Name":"{{NameField(prefix)}}"}{{"\n"}}""");

    static EngineRequest OfCaller(string verb, string prefix) =>
        new($"VolumeDriver.{verb}", $$"""{"Name":"{{NameField(prefix)}}","ID":"{{CallerHead}}{{new string('@', CallerDigits)}}"}{{"\n"}}""");
}
