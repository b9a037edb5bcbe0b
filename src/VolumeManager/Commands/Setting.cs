using System.Globalization;
using System.Net;
using Microsoft.Extensions.Logging;
using VolumeManager.Exports;

namespace VolumeManager.Commands;

/// <summary>One setting: its key is the flag, the key of the file, and with VOLMAN_ and underscores the environment variable.</summary>
internal sealed record Setting(string Key, string Description, Func<Setting.Bound, string, Setting.Bound> Apply)
{
    internal readonly record struct Bound(Settings Settings, LogSettings Log);

    internal string Variable => "VOLMAN_" + Key.ToUpperInvariant().Replace('-', '_');

    /// <summary>Whether the value must not be shown in messages.</summary>
    internal bool IsSecret { get; init; }

    /// <summary>Whether the daemon itself has no use for it.</summary>
    internal bool IsForCommands { get; init; }

    /// <summary>All of them, in the order of <c>--help</c>.</summary>
    internal static readonly Setting[] All =
    [
        new("socket", "The plugin socket; its file name is the driver's name [default: /run/docker/plugins/volman.sock]",
            (b, v) => b with { Settings = b.Settings with { Socket = AbsolutePath(v) } }),
        new("admin-socket", "The socket where volman's own commands reach the daemon; root alone may [default: /run/volman/admin.sock]",
            (b, v) => b with { Settings = b.Settings with { AdminSocket = AbsolutePath(v) } }),
        new("admin-listen", "Address and port where the admin API is served over TLS to those who have a token, such as 0.0.0.0:9443 [default: none]",
            (b, v) => b with { Settings = b.Settings with { AdminListen = IPEndPoint.TryParse(v, out var end) && end.Port > 0 ? end : throw new FormatException("write an IP address and a port, such as 0.0.0.0:9443 or [::]:9443") } }),
        new("admin-tls-certificate", "A PEM file of the certificate for admin-listen, those of its authorities behind it; read anew when it changes [default: none]",
            (b, v) => b with { Settings = b.Settings with { AdminTlsCertificate = AbsolutePath(v) } }),
        new("admin-tls-key", "A PEM file of its key, without a password [default: admin-tls-certificate]",
            (b, v) => b with { Settings = b.Settings with { AdminTlsKey = AbsolutePath(v) } }),
        new("admin-url", "A daemon to ask over TLS, such as https://host:9443, instead of this host's; the token is in VOLMAN_TOKEN or token-file [default: none]",
            (b, v) => b with { Settings = b.Settings with { AdminUrl = Uri.TryCreate(v, UriKind.Absolute, out var url) && url is { Scheme: "https", PathAndQuery: "/", UserInfo: "", Fragment: "" } ? url : throw new FormatException("write an address such as https://host:9443") } }) { IsForCommands = true },
        new("admin-ca", "A PEM file of those who may have signed that daemon's certificate [default: whom the system trusts]",
            (b, v) => b with { Settings = b.Settings with { AdminCa = AbsolutePath(v) } }) { IsForCommands = true },
        new("token-file", "A file that holds the token for admin-url [default: none]",
            (b, v) => b with { Settings = b.Settings with { TokenFile = AbsolutePath(v) } }) { IsForCommands = true },
        new("state-dir", "Host id, lock and SQLite catalog [default: /var/lib/volman]",
            (b, v) => b with { Settings = b.Settings with { StateDirectory = AbsolutePath(v) } }),
        new("mount-root", "Where volumes are mounted for the engine [default: /var/lib/volman/mnt]",
            (b, v) => b with { Settings = b.Settings with { MountRoot = AbsolutePath(v) } }),
        new("data-root", "The directories of volumes of the backend local [default: /var/lib/volman/volumes]",
            (b, v) => b with { Settings = b.Settings with { DataRoot = AbsolutePath(v) } }),
        new("backend", "The backend of volumes that name none: local or nfs [default: local]",
            (b, v) => b with { Settings = b.Settings with { Backend = v is "local" or "nfs" ? v : throw new FormatException("use local or nfs") } }),
        new("nfs-server", "The NFS server of volumes that name none: a host name or an IP address [default: none]",
            (b, v) => b with { Settings = b.Settings with { NfsServer = NfsAddress.Server(v) ?? throw new FormatException("write a host name or an IP address") } }),
        new("nfs-export", "What that server exports for them: an absolute path [default: none]",
            (b, v) => b with { Settings = b.Settings with { NfsExport = NfsAddress.Export(v) ?? throw new FormatException("write the absolute path that the server exports") } }),
        new("nfs-options", $"NFS mount options of this host, over {NfsOptions.Default} and under a volume's own nfsopts [default: none]",
            (b, v) => b with { Settings = b.Settings with { NfsOptions = NfsOptions.Check(v) is not null ? v : "" } }),
        new("export-directory", "A directory of this host that it serves to the cluster's other hosts, by its kernel's NFS server, as what nfs-server and nfs-export name [default: none]",
            (b, v) => b with { Settings = b.Settings with { ExportDirectory = Plain(AbsolutePath(v)) } }),
        new("export-squash", "What becomes of other hosts' root in export-directory: no_root_squash, root_squash or all_squash [default: no_root_squash]",
            (b, v) => b with { Settings = b.Settings with { ExportSquash = v is "no_root_squash" or "root_squash" or "all_squash" ? v : throw new FormatException("use no_root_squash, root_squash or all_squash") } }),
        new("address", "The IP address by which other hosts know this one [default: the one from which it reaches the database]",
            (b, v) => b with { Settings = b.Settings with { Address = IPAddress.TryParse(v, out var address) && NfsAddress.Server(v) is not null ? address.ToString() : throw new FormatException("write an IP address") } }),
        new("host-name", "This host's name in the catalog [default: the machine's name]",
            (b, v) => b with { Settings = b.Settings with { HostName = v.Length is > 0 and <= 255 && !v.Any(char.IsControl) ? v : throw new FormatException("write 1 to 255 characters") } }),
        new("database", "PostgreSQL connection string of the catalog that many hosts share, such as Host=db;Database=volman;Username=volman; it may hold a password, so better use database-file [default: none, this host has its own]",
            (b, v) => b with { Settings = b.Settings with { Database = v } }) { IsSecret = true },
        new("database-file", "A file that holds the connection string, as Docker and systemd hand out secrets [default: none]",
            (b, v) => b with { Settings = b.Settings with { Database = Secret(v) } }),
        new("lease", "For how long a host of a cluster is taken to be alive without a word from it [default: 30s]",
            (b, v) => b with { Settings = b.Settings with { Lease = Duration(v) is { TotalSeconds: >= 3 } lease ? Timer(lease) : throw new FormatException("write a duration of at least 3s") } }),
        new("takeover-grace", "How long after its lease ran out a host's exclusive volumes may be taken over [default: 30s]",
            (b, v) => b with { Settings = b.Settings with { TakeoverGrace = Timer(Duration(v)) } }),
        new("call-deadline", "How long an engine's Create or Mount may take before it is answered with an error, the other calls at most 50s of it; below the engine's own patience of 120s, or the one of docker plugin enable --timeout [default: 110s]",
            (b, v) => b with { Settings = b.Settings with { CallDeadline = Duration(v) is { TotalSeconds: >= 5 and <= 110 } deadline ? deadline : throw new FormatException("write a duration from 5s to 110s") } }),
        new("migrate", "Whether an older catalog of this host alone is brought up to date at start: true or false; a shared database never is, run volman migrate [default: true]",
            (b, v) => b with { Settings = b.Settings with { Migrate = bool.TryParse(v, out var on) ? on : throw new FormatException("write true or false") } }),
        new("trash-retention", "How long a removed volume's data is kept; 0 deletes at once [default: 24h]",
            (b, v) => b with { Settings = b.Settings with { TrashRetention = Duration(v) } }),
        new("history-retention", "How long events and samples of usage are kept [default: 90d]",
            (b, v) => b with { Settings = b.Settings with { HistoryRetention = Positive(v) } }),
        new("usage-daily-retention", "How long it is kept what each volume held by day, for reports of growth and cost [default: 730d]",
            (b, v) => b with { Settings = b.Settings with { UsageDailyRetention = Positive(v) } }),
        new("reconcile-interval", "How often catalog and kernel are compared [default: 1m]",
            (b, v) => b with { Settings = b.Settings with { ReconcileInterval = Timer(Positive(v)) } }),
        new("usage-interval", "How often it is measured how much each volume holds, by one host for all; 0 never does [default: 15m]",
            (b, v) => b with { Settings = b.Settings with { UsageInterval = Duration(v) is var interval && (interval == TimeSpan.Zero || interval.TotalSeconds >= 1) ? interval : throw new FormatException("write 0 or a duration of at least 1s") } }),
        new("engine-grace", "How long after an engine's start the mounts of its dead predecessor are kept that no container holds [default: 30s]",
            (b, v) => b with { Settings = b.Settings with { EngineGrace = Timer(Duration(v)) } }),
        new("engine-socket", "The API socket of this host's engine, which volman doctor asks for its containers, and nothing else does [default: /var/run/docker.sock]",
            (b, v) => b with { Settings = b.Settings with { EngineSocket = AbsolutePath(v) } }),
        new("log-level", "trace, debug, information, warning, error or critical [default: information]",
            (b, v) => b with { Log = b.Log with { Level = Level(v) } }),
        new("log-format", "text, json or systemd [default: text]",
            (b, v) => b with { Log = b.Log with { Format = LogSettings.Formats.Contains(v) ? v : throw new FormatException("use text, json or systemd") } }),
    ];

    /// <summary>The text of a file that only its readers should see, as Docker and systemd hand out secrets.</summary>
    static string Secret(string path)
    {
        try
        {
            // Of a directory the framework would say that access is denied.
            if (Directory.Exists(path)) throw new FormatException("it is a directory: name a file that holds the connection string");
            return File.ReadAllText(path).Trim() is { Length: > 0 } text ? text : throw new FormatException("the file is empty: write the connection string into it");
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FormatException("there is no such file: make it, with the connection string in it", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FormatException($"it cannot be read ({e.Message.TrimEnd('.')}): let the user that volman runs as read it", e);
        }
    }

    static string AbsolutePath(string value) => value.StartsWith('/') && !value.Contains('\0', StringComparison.Ordinal)
        ? Path.TrimEndingDirectorySeparator(Path.GetFullPath(value))
        : throw new FormatException("write an absolute path");

    // exports(5) gives other characters a meaning.
    static string Plain(string path) => path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-')
        ? path
        : throw new FormatException("name a directory with the characters a-z A-Z 0-9 . _ - / only");

    static TimeSpan Positive(string value) => Duration(value) is { Ticks: > 0 } duration ? duration : throw new FormatException("write a duration longer than zero");

    // Timers count milliseconds in 32 bits.
    static TimeSpan Timer(TimeSpan duration) => duration.TotalDays <= 24 ? duration : throw new FormatException("write a duration of at most 24d");

    /// <summary><c>90s</c>, <c>15m</c>, <c>24h</c>, <c>90d</c>, <c>500ms</c> or <c>0</c>.</summary>
    internal static TimeSpan Duration(string value)
    {
        if (value == "0") return TimeSpan.Zero;
        var number = value.TrimEnd('d', 'h', 'm', 's');
        TimeSpan? unit = value[number.Length..] switch
        {
            "ms" => TimeSpan.FromMilliseconds(1),
            "s" => TimeSpan.FromSeconds(1),
            "m" => TimeSpan.FromMinutes(1),
            "h" => TimeSpan.FromHours(1),
            "d" => TimeSpan.FromDays(1),
            _ => null,
        };
        // Ten years: longer ones overflow timers and are typing errors.
        return unit is not null && int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && unit.Value.TotalDays * count <= 3650
            ? unit.Value * count
            : throw new FormatException("write a duration of at most 3650d, such as 30s, 15m, 24h or 90d");
    }

    static LogLevel Level(string value) => Enum.TryParse<LogLevel>(value, ignoreCase: true, out var level) && Enum.IsDefined(level) && !char.IsDigit(value[0])
        ? level
        : throw new FormatException("use trace, debug, information, warning, error or critical");
}
