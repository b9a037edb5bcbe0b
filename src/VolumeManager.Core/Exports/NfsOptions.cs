using System.Collections.Immutable;
using System.Globalization;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>NFS mount options that passed the allow-list, in one order and one spelling: equal texts are one mount.</summary>
/// <remarks>Names, types and ranges as in nfs(5). What is not here is refused by name: an option could name another server, or let a volume's programs act as root.</remarks>
internal sealed record NfsOptions
{
    /// <summary>In force unless an option says otherwise. A hard mount waits for its server; a soft one would give programs errors, and lose writes.</summary>
    internal const string Default = "vers=4.2,hard,noatime";

    static readonly Dictionary<string, (long Min, long Max)> s_numbers = new(StringComparer.Ordinal)
    {
        ["port"] = (1, 65535),
        ["rsize"] = (1024, 1 << 20),
        ["wsize"] = (1024, 1 << 20),
        ["timeo"] = (1, 6000),
        ["retrans"] = (0, 100),
        ["nconnect"] = (1, 16),
        ["acregmin"] = (0, 86400),
        ["acregmax"] = (0, 86400),
        ["acdirmin"] = (0, 86400),
        ["acdirmax"] = (0, 86400),
        ["actimeo"] = (0, 86400),
    };

    static readonly Dictionary<string, string[]> s_choices = new(StringComparer.Ordinal)
    {
        ["vers"] = ["3", "4", "4.0", "4.1", "4.2"],
        ["proto"] = ["tcp", "tcp6"],
        ["sec"] = ["sys", "krb5", "krb5i", "krb5p"],
        ["lookupcache"] = ["all", "none", "pos", "positive"],
        ["local_lock"] = ["none", "all", "flock", "posix"],
    };

    // Of each row one is in force: the one said last.
    static readonly string[][] s_alternatives =
    [
        ["hard", "soft", "softerr"], ["atime", "noatime", "relatime"], ["lock", "nolock"], ["cto", "nocto"], ["ac", "noac"], ["rdirplus", "nordirplus"],
        ["resvport", "noresvport"], ["sharecache", "nosharecache"], ["exec", "noexec"],
    ];

    readonly ImmutableSortedDictionary<string, string> _options;

    NfsOptions(ImmutableSortedDictionary<string, string> options) => _options = options;

    /// <param name="text">As a user writes it, over the defaults; the later of two wins.</param>
    /// <exception cref="FormatException">An option is not allowed; the message is a fault and its cure.</exception>
    internal static NfsOptions Parse(params ReadOnlySpan<string> text)
    {
        var options = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);
        foreach (var option in Split(string.Join(',', [Default, .. text]))) options = With(options, option);
        // Locks are a part of NFS 4. One text may say a version and another, written for version 3, how that one locks.
        return new NfsOptions(options["vers"] == "3" ? options : options.RemoveRange(["lock", "nolock"]));
    }

    /// <summary>As <see cref="Parse"/>, for what a user says now: what would be without effect is refused too.</summary>
    /// <param name="host">What this host's settings say, which the text is over.</param>
    internal static NfsOptions Check(string text, string host = "")
    {
        var options = Parse(host, text);
        if (!options.IsVersion3 && Split(text).Contains("nolock")) throw new FormatException("has nolock, which is for vers=3: leave it out");
        return options;
    }

    static string[] Split(string text) => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    static ImmutableSortedDictionary<string, string> With(ImmutableSortedDictionary<string, string> options, string option)
    {
        var equals = option.IndexOf('=', StringComparison.Ordinal);
        var (key, value) = equals < 0 ? (option, "") : (option[..equals], option[(equals + 1)..]);
        if (key == "nfsvers") key = "vers";
        if (equals < 0 && Array.Find(s_alternatives, a => a.Contains(key)) is { } row) return options.RemoveRange(row).Add(key, "");
        if (equals > 0 && s_numbers.TryGetValue(key, out var range))
        {
            return long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= range.Min && number <= range.Max
                ? options.SetItem(key, number.ToString(CultureInfo.InvariantCulture))
                : throw new FormatException($"has {Quoted.Text(option)}: write {key}= and a number from {range.Min} to {range.Max}");
        }

        if (equals > 0 && s_choices.TryGetValue(key, out var choices))
        {
            return choices.Contains(value) ? options.SetItem(key, value) : throw new FormatException($"has {Quoted.Text(option)}: use {key}= and one of {string.Join(", ", choices)}");
        }

        throw new FormatException($"has {Quoted.Text(option)}, which is not allowed: use {string.Join(", ", s_choices.Keys.Concat(s_numbers.Keys).Select(k => k + "=").Concat(s_alternatives.SelectMany(a => a)).Order(StringComparer.Ordinal))}");
    }

    /// <summary>The same for a mount that shares nothing with others of the same export: when it goes, the kernel keeps nothing of it.</summary>
    internal NfsOptions Apart => new(With(_options, "nosharecache"));

    /// <summary>All that are in force, as nfs(5) writes them.</summary>
    internal string Text => string.Join(',', _options.Select(o => o.Value.Length == 0 ? o.Key : $"{o.Key}={o.Value}"));

    internal int Port => _options.TryGetValue("port", out var port) ? int.Parse(port, CultureInfo.InvariantCulture) : 2049;

    internal bool IsVersion3 => _options["vers"] == "3";

    /// <summary>What mount(2) takes as flags. Set-uid programs and device files on a server are never for us.</summary>
    internal ulong Flags => LibC.MS_NOSUID | LibC.MS_NODEV
        | (_options.ContainsKey("noatime") ? LibC.MS_NOATIME : 0)
        | (_options.ContainsKey("noexec") ? LibC.MS_NOEXEC : 0);

    /// <summary>What mount(2) takes as text: the kernel's NFS client knows these.</summary>
    internal string Data => string.Join(',', _options
        .Where(o => o.Key is not ("atime" or "noatime" or "relatime" or "exec" or "noexec"))
        .Select(o => o.Value.Length == 0 ? o.Key : $"{o.Key}={o.Value}"));
}
