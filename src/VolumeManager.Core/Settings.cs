namespace VolumeManager;

/// <summary>How this host runs: bound once at start from defaults, file, environment and flags.</summary>
internal sealed record Settings
{
    /// <summary>The plugin socket; the file's name is the driver's name.</summary>
    public string Socket { get; init; } = "/run/docker/plugins/volman.sock";

    /// <summary>Host id, lock and catalog.</summary>
    public string StateDirectory { get; init; } = "/var/lib/volman";

    /// <summary>Where volumes are mounted for the engine.</summary>
    public string MountRoot { get; init; } = "/var/lib/volman/mnt";

    /// <summary>The directories of local volumes.</summary>
    public string DataRoot { get; init; } = "/var/lib/volman/volumes";

    public string HostName { get; init; } = Environment.MachineName;

    /// <summary>Whether an older schema is brought up to date at start.</summary>
    public bool Migrate { get; init; } = true;

    /// <summary>How long a removed volume's directory waits in the trash; zero deletes at once.</summary>
    public TimeSpan TrashRetention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long events are kept.</summary>
    public TimeSpan HistoryRetention { get; init; } = TimeSpan.FromDays(90);

    /// <summary>How often catalog and kernel are compared, and the trash is looked through.</summary>
    public TimeSpan ReconcileInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long after an engine's start mounts of its dead predecessor are kept that nothing holds.</summary>
    public TimeSpan EngineGrace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Names the boot of this host; another file only in tests that reboot.</summary>
    internal string BootIdFile { get; init; } = "/proc/sys/kernel/random/boot_id";
}
