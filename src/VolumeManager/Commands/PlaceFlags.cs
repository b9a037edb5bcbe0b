using System.CommandLine;

namespace VolumeManager.Commands;

/// <summary>Where volumes lie, or shall lie: a backend, and for NFS a server and what it exports.</summary>
internal sealed class PlaceFlags
{
    readonly Option<string?> _backend = new("--backend") { Description = "local or nfs", HelpName = "backend" };
    readonly Option<string?> _server = new("--server") { Description = "The NFS server", HelpName = "host" };
    readonly Option<string?> _export = new("--export") { Description = "The path that it exports", HelpName = "path" };
    readonly Option<string?> _options = new("--nfsopts") { Description = "NFS mount options, such as vers=4.2", HelpName = "options" };

    internal PlaceFlags() => _backend.AcceptOnlyFromAmong("local", "nfs");

    internal IEnumerable<Option> All => [_backend, _server, _export, _options];

    internal Dictionary<string, string?> Of(ParseResult parsed)
    {
        var place = new[] { ("backend", parsed.GetValue(_backend)), ("server", parsed.GetValue(_server)), ("export", parsed.GetValue(_export)), ("nfsopts", parsed.GetValue(_options)) }
            .Where(option => option.Item2 is not null).ToDictionary(option => option.Item1, option => option.Item2, StringComparer.Ordinal);
        // A server can only be meant for NFS.
        if (place.Count > 0) place.TryAdd("backend", "nfs");
        return place;
    }
}
