namespace VolumeManager;

/// <summary>How long the daemon waits, for what, and how often it asks again. These are no settings: an operator has no reason to change one.</summary>
/// <remarks>
/// The values depend on each other, and <see cref="Violations"/> checks how. <see cref="Real"/> is what the program runs with; tests run a daemon with shorter values in the same
/// relations. Times that PostgreSQL's clock decides, such as leases, are measured by that clock; the others by the monotonic clock of the process.
/// </remarks>
internal sealed record Timings
{
    /// <summary>The values of the program.</summary>
    internal static Timings Real { get; } = new();

    /// <summary>The clock for what only this process remembers, such as when it last read a token: a test advances its own instead of waiting.</summary>
    internal TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>How long SQLite waits for another connection's lock on the file, such as that of a backup, before a change fails.</summary>
    internal TimeSpan SqliteBusy { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a stop waits for SQLite's writer. A disk that hangs must not keep the process alive; what is not written by then was not acknowledged.</summary>
    internal TimeSpan SqliteStop { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>PostgreSQL's <c>lock_timeout</c> for the statements of a daemon: how long a change waits for another host's change.</summary>
    internal TimeSpan LockWait { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>How long a statement may take before the driver gives the connection up. Whole seconds.</summary>
    internal TimeSpan CommandTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a change or a query waits for one of this host's own connections to PostgreSQL.</summary>
    internal TimeSpan ConnectionTurn { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>PostgreSQL's <c>lock_timeout</c> for a migration. While it waits for a long reader, such as a backup, all daemons queue behind it.</summary>
    internal TimeSpan MigrationLockWait { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a migration lets the daemons work between two attempts to lock the tables.</summary>
    internal TimeSpan MigrationPause { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long after the loss of a single database server a request waits for it: a restart of the server takes about as long.</summary>
    internal TimeSpan RestartWait { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long after the loss of the primary a request waits when the connection string names several servers: a standby takes over within some seconds.</summary>
    internal TimeSpan FailoverWait { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long after the loss a request waits for a host that is joining the cluster: a wait serves the caller better than a refusal.</summary>
    internal TimeSpan JoinWait { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The least time that a request waits for a host that is joining, however long ago the link was lost.</summary>
    internal TimeSpan LeastJoinWait { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>The pause between two attempts to join the cluster.</summary>
    internal TimeSpan JoinRetry { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long a start waits for the first attempt to join before the ledger answers.</summary>
    internal TimeSpan FirstJoin { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>How long a host's claim to purge the trash of all hosts holds after its last renewal.</summary>
    internal TimeSpan JanitorClaim { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a host's claim to measure the volumes of all hosts holds. A host that is killed keeps the others from measuring for this long.</summary>
    internal TimeSpan SamplerClaim { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long after a removal, restore or copy last reported to the catalog other hosts leave it alone. Twice what a Remove may take.</summary>
    internal TimeSpan Abandoned { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How often the host that copies a volume reports to the catalog that it still holds it.</summary>
    internal TimeSpan HoldRenewal { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long a Create or Remove waits for the removal or restore of that volume on another host.</summary>
    internal TimeSpan OthersWork { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The pause between two queries whether another host has finished a removal or restore.</summary>
    internal TimeSpan OthersPause { get; init; } = TimeSpan.FromMilliseconds(50);

    /// <summary>The pause between two queries whether all hosts have heard of a change.</summary>
    internal TimeSpan HeardPause { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long a takeover or an eviction waits until the serving host has shut the old holder out of an export.</summary>
    internal TimeSpan FencingWait { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>The pause between two queries whether the old holder is shut out.</summary>
    internal TimeSpan FencingPause { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How often a host that serves an export reads from the catalog which hosts may use it. A takeover waits at most this long until it begins; it costs one query.</summary>
    internal TimeSpan ExportPass { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a call waits for an export whose server or disk makes no progress.</summary>
    internal TimeSpan ExportAnswer { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a mount of an export is repeated while its server refuses this host: another host lets a new member in within a pass or two.</summary>
    internal TimeSpan Admission { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>The pause between two attempts to mount an export, or to unmount one that is busy.</summary>
    internal TimeSpan MountRetry { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a connection to an NFS server's port may take, for each address of the server.</summary>
    internal TimeSpan ServerProbe { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long the resolver may take to find an NFS server's addresses.</summary>
    internal TimeSpan ServerResolve { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the answer of an NFS server's port is used for further calls.</summary>
    internal TimeSpan ServerFresh { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the search for containers' mounts waits for an export to be mounted. The caller also waits for other exports.</summary>
    internal TimeSpan ExportSeen { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the search for aliases waits for a place that the call itself does not use.</summary>
    internal TimeSpan AliasAnswer { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a step of the reconciler may take before the pass goes to the next volume.</summary>
    internal TimeSpan ReconcileStep { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The pause after a background pass that failed.</summary>
    internal TimeSpan PassRetry { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the time of day must have agreed with the monotonic clock before anything is deleted because of its age, unless it is kept for less.</summary>
    internal TimeSpan ClockAgreement { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long the doctor waits before it looks again: what it finds only once was under way, and is no finding.</summary>
    internal TimeSpan Settling { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long one check or repair of the doctor may take.</summary>
    internal TimeSpan CheckTime { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long the doctor waits for the purge that it has ordered.</summary>
    internal TimeSpan PurgeWait { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The pause between two queries whether it is purged.</summary>
    internal TimeSpan PurgePause { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long the admin API accepts a token without reading it from the catalog again: a revoked token works for this long.</summary>
    internal TimeSpan TokenCache { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a token that was read may still read while the shared catalog is away.</summary>
    internal TimeSpan TokenAway { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How often the admin API's certificate files are compared with the certificate in use, at most.</summary>
    internal TimeSpan CertificateCheck { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a call of the engine may take other than Create and Mount, which have <see cref="Settings.CallDeadline"/>. The engine itself gives up after 60 s.</summary>
    internal TimeSpan ShortCall { get; init; } = TimeSpan.FromSeconds(50);

    /// <summary>How long a stop goes on as if there were none: calls end by themselves. From then on they are cancelled, and undo themselves.</summary>
    internal TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long cancelled calls may take to undo themselves and answer. From then on their connections are closed.</summary>
    internal TimeSpan UndoTime { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a stop waits for background passes, and for calls that a disk or server holds up.</summary>
    internal TimeSpan StopWait { get; init; } = TimeSpan.FromMilliseconds(2500);

    /// <summary>How long a stop waits for the heartbeat of a host in a cluster.</summary>
    internal TimeSpan HeartbeatStop { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a stop waits for the database to note that the host has left.</summary>
    internal TimeSpan LeaveWait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a stop takes at most; a service manager that kills earlier leaves work to the next start.</summary>
    internal TimeSpan LongestStop => DrainTime + UndoTime + StopWait + HeartbeatStop + LeaveWait + SqliteStop;

    /// <summary>The relations that do not hold; none in a usable set.</summary>
    internal IEnumerable<string> Violations()
    {
        (bool Holds, string Relation)[] relations =
        [
            (MigrationLockWait < LockWait, "a migration gives the tables up before the daemons that queue behind it time out"),
            (LockWait < CommandTime, "PostgreSQL refuses a change that waits before the driver drops its connection"),
            (ConnectionTurn + CommandTime < ShortCall, "a call hears why the database is busy"),
            (SqliteBusy < ShortCall, "a call hears why the catalog's file is busy"),
            (JoinRetry < RestartWait, "a request that waits for a restart sees an attempt to join"),
            (RestartWait <= FailoverWait && RestartWait <= JoinWait && LeastJoinWait <= JoinWait, "a host that joins, or a standby, is waited for no less than a restart"),
            (FailoverWait + ConnectionTurn + CommandTime < ShortCall, "a call hears that no server took over"),
            (HoldRenewal * 3 <= Abandoned, "a copy may miss two renewals before others take it for abandoned"),
            (ShortCall * 2 <= Abandoned, "a removal does not count as abandoned while its call runs"),
            (OthersPause < OthersWork && OthersWork < ShortCall, "a call hears that another host still works on the volume"),
            (ExportPass * 4 <= FencingWait && FencingPause < FencingWait, "the serving host makes several passes while a takeover waits"),
            (FencingWait < ShortCall, "a call hears who was not shut out"),
            (ExportPass * 2 <= Admission && MountRetry < Admission, "a new host is let in while its mount is repeated"),
            (ServerProbe < ExportAnswer && ServerFresh < ExportAnswer, "a server that is down is found by the probe, not by the mount"),
            (ExportAnswer < ShortCall && ServerResolve + ServerProbe < ShortCall, "a call hears that the export does not answer"),
            (ExportSeen < ExportAnswer && AliasAnswer < ExportAnswer, "a place that the call does not use is waited for less than one that it uses"),
            (Settling < CheckTime && PurgePause < PurgeWait && PurgeWait < CheckTime, "the doctor's waits end before the doctor gives the check up"),
            (TokenCache < TokenAway, "a token is read from the catalog more often than an outage may last"),
        ];
        return relations.Where(r => !r.Holds).Select(r => r.Relation);
    }
}
