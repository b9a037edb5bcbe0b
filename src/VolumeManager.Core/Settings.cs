using System.Net;

namespace VolumeManager;

/// <summary>How this host runs: bound once at start from defaults, file, environment and flags.</summary>
internal sealed record Settings
{
    /// <summary>The plugin socket; the file's name is the driver's name.</summary>
    public string Socket { get; init; } = "/run/docker/plugins/volman.sock";

    /// <summary>Where <c>volman</c>'s own commands reach the daemon.</summary>
    public string AdminSocket { get; init; } = "/run/volman/admin.sock";

    /// <summary>Address and port where the admin API is served over TLS; null: it is not.</summary>
    public IPEndPoint? AdminListen { get; init; }

    /// <summary>PEM files of the certificate, with what its authority needs, and of its key; a key of its own may be in the first one.</summary>
    public string AdminTlsCertificate { get; init; } = "";

    public string AdminTlsKey { get; init; } = "";

    /// <summary>For the commands: the daemon that they ask over TLS; null: this host's, over its socket.</summary>
    public Uri? AdminUrl { get; init; }

    /// <summary>For the commands: a PEM file of those who may have signed its certificate; empty: whom the system trusts.</summary>
    public string AdminCa { get; init; } = "";

    /// <summary>For the commands: a file that holds the token by which it knows them; empty: it is in the environment.</summary>
    public string TokenFile { get; init; } = "";

    /// <summary>Host id, lock and catalog.</summary>
    public string StateDirectory { get; init; } = "/var/lib/volman";

    /// <summary>Where volumes are mounted for the engine.</summary>
    public string MountRoot { get; init; } = "/var/lib/volman/mnt";

    /// <summary>The directories of local volumes.</summary>
    public string DataRoot { get; init; } = "/var/lib/volman/volumes";

    /// <summary>The backend of volumes that name none.</summary>
    public string Backend { get; init; } = "local";

    /// <summary>Server and export of NFS volumes that name none; empty: each must name its own.</summary>
    public string NfsServer { get; init; } = "";

    public string NfsExport { get; init; } = "";

    /// <summary>NFS mount options of this host, over the built-in defaults and under a volume's own.</summary>
    public string NfsOptions { get; init; } = "";

    /// <summary>A directory of this host that it serves to the cluster's other hosts as <see cref="NfsServer"/>:<see cref="NfsExport"/>; empty: it serves none.</summary>
    public string ExportDirectory { get; init; } = "";

    /// <summary>What becomes of the rights of other hosts' root there (exports(5)).</summary>
    public string ExportSquash { get; init; } = "no_root_squash";

    /// <summary>The address by which other hosts know this one; empty: the one from which it reaches the database.</summary>
    public string Address { get; init; } = "";

    /// <summary>Where the kernel's NFS server is told what to export; another place only in tests.</summary>
    internal Linux.KernelExports.Places ExportPlaces { get; init; } = new();

    /// <summary>Where this host mounts NFS exports, for itself.</summary>
    internal string NfsRoot => $"{StateDirectory}/nfs";

    /// <summary>Which process was this host's engine when the daemon last looked.</summary>
    internal string EngineFile => $"{StateDirectory}/engine";

    public string HostName { get; init; } = Environment.MachineName;

    /// <summary>A PostgreSQL connection string: the catalog that many hosts share. Empty: this host has a catalog of its own. A secret, never shown.</summary>
    public string Database { get; init; } = "";

    /// <summary>For how long this host's word holds that it is alive, by the database's clock. Renewed each third of it.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long after its lease ran out a host's exclusive volumes may be taken from it.</summary>
    public TimeSpan TakeoverGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an engine's Create or Mount may take; other calls at most 50 s of it.</summary>
    public TimeSpan CallDeadline { get; init; } = TimeSpan.FromSeconds(110);

    /// <summary>Whether an older schema is brought up to date at start. Null: that of this host's own file is, that of a shared database is not.</summary>
    public bool? Migrate { get; init; }

    /// <summary>How long a removed volume's directory waits in the trash; zero deletes at once.</summary>
    public TimeSpan TrashRetention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long events and samples of usage are kept.</summary>
    public TimeSpan HistoryRetention { get; init; } = TimeSpan.FromDays(90);

    /// <summary>How long it is kept what each volume held by day: what reports of growth and cost are made of.</summary>
    public TimeSpan UsageDailyRetention { get; init; } = TimeSpan.FromDays(730);

    /// <summary>How often catalog and kernel are compared, and the trash is looked through.</summary>
    public TimeSpan ReconcileInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How often the volumes' usage is measured; zero: never.</summary>
    public TimeSpan UsageInterval { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>How long after an engine's start mounts of its dead predecessor are kept that nothing holds.</summary>
    public TimeSpan EngineGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Waits and pauses that are no settings; shorter only in tests.</summary>
    internal Timings Timings { get; init; } = Timings.Real;

    /// <summary>The API socket of this host's engine, which nobody but the doctor asks.</summary>
    public string EngineSocket { get; init; } = "/var/run/docker.sock";

    /// <summary>Names the boot of this host; another file only in tests that reboot.</summary>
    internal string BootIdFile { get; init; } = "/proc/sys/kernel/random/boot_id";
}
