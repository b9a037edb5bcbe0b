namespace VolumeManager.Diagnosis;

/// <summary>How much a finding matters: something does not work or is about to be lost, something should be seen to, or it is good to know.</summary>
internal enum Severity { Error, Warning, Note }

/// <summary>One difference between what is and what should be.</summary>
/// <param name="Code">A word for programs, listed in docs/doctor.md; it never comes to mean something else.</param>
/// <param name="Subject">Which volume, host, path or index.</param>
/// <param name="Problem">What is wrong, in a sentence.</param>
/// <param name="Cure">What a repair does, or, where there is none, what to do by hand; a sentence as well.</param>
internal sealed record Finding(string Code, Severity Severity, string Subject, string Problem, string Cure)
{
    /// <summary>All codes that there are.</summary>
    internal static readonly IReadOnlyList<string> Codes =
    [
        "catalog-away", "catalog-damaged", "check-failed", "claim-outdated", "claim-unused", "claims-differ", "clock-skew", "container-unclaimed",
        "containers-unseen", "copy-unfinished", "daemon-away", "data-root-away", "data-root-other", "directory-absent", "directory-missing", "directory-retained",
        "directory-trashed", "directory-unknown", "engine-unreachable", "events-untold", "export-left", "export-unreachable", "export-unserved", "export-unwritable",
        "host-lost", "index-invalid", "index-missing", "lease-short", "mount-flags", "mount-foreign", "mount-missing", "mount-stale", "mount-unclaimed",
        "mount-wrong", "mounts-unseen", "plugin-directory", "removal-unfinished", "restore-unfinished", "root-open", "row-invalid", "row-stray", "size-unenforced", "socket-dead",
        "socket-elsewhere", "socket-missing", "socket-open", "space-low", "trash-missing", "trash-overdue", "trash-unknown", "use-unclaimed", "versions-differ",
        "volume-differs", "volume-removed", "volume-taken", "volume-unknown",
    ];

    /// <summary>Whom it is about, where another of the same name may take its place: what was found of two is two findings.</summary>
    internal Guid? Id { get; init; }

    /// <summary>Puts it right. Looks first whether it is still so. Null where only people can.</summary>
    internal Func<CancellationToken, Task>? Repair { get; init; }

    /// <summary>The repair lets go of what nothing that volman sees needs, but somebody might know better.</summary>
    internal bool NeedsConsent { get; init; }

    /// <summary>Why a repair that was tried has failed.</summary>
    internal string? Failure { get; init; }

    internal bool IsSame(Finding other) => Code == other.Code && Subject == other.Subject && Id == other.Id;

    internal static string Of(Volumes.Volume volume) => $"volume {volume.Name}";
}
