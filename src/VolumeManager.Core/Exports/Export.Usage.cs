using VolumeManager.Linux;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>How much volumes hold, and may hold.</content>
internal abstract partial class Export
{
    readonly SyscallLane _walks = new("usage", maxThreads: 1);
    Pace? _pace;
    Task _measuring = Task.CompletedTask;
    Task _learning = Task.CompletedTask;

    /// <summary>What Status says of the volume's <c>size</c>: "yes" where it is enforced, "no: " and why where it is not. Touches no disk.</summary>
    internal virtual string SizeEnforced(Volume volume) => Quota?.DescribeLimit(volume) ?? "no: the NFS server must limit it";

    /// <summary>Gives a volume its project, if nothing is in it yet, and the limit that its <c>size</c> asks for.</summary>
    /// <exception cref="VolumeException">The directory cannot be reached.</exception>
    internal Task LimitAsync(Volume volume, CancellationToken cancellation) => Quota is { } quota ? RunAsync(volume, () => quota.Apply(volume), cancellation, isHarmless: true) : Task.CompletedTask;

    /// <summary>Finds out, for Status, whether the size of volumes is enforced that nobody has mounted since volman started. What fails for one is asked again in the next pass.</summary>
    /// <param name="volumes">All volumes of this export that have a size.</param>
    internal Task LearnLimitsAsync(IReadOnlyCollection<Volume> volumes, CancellationToken cancellation) =>
        // A disk that hangs gets one question, not one more in each pass.
        Quota is { } quota && _learning.IsCompleted ? _learning = LearnLimitsAsync(quota, volumes, cancellation) : Task.CompletedTask;

    async Task LearnLimitsAsync(DirectoryQuota quota, IReadOnlyCollection<Volume> volumes, CancellationToken cancellation)
    {
        await OnLaneAsync(() => quota.Refresh(volumes), cancellation);
        foreach (var volume in volumes.Where(v => !quota.Knows(v)))
        {
            try
            {
                await RunAsync(volume, () => quota.Look(volume), cancellation, isHarmless: true);
            }
            catch (Exception e) when (e is VolumeException or IOException)
            {
                // Its directory is not there: Mount will say so.
            }
        }
    }

    /// <summary>How many files and directories a second may be looked at to measure volumes.</summary>
    // A million files in a minute, by a tenth of one processor when their inodes are in memory. When they are not it is the disk that sets the pace.
    private protected virtual int EntriesPerSecond => 20_000;

    /// <summary>Measures how much a volume holds, one volume at a time: by its quota where it has one, else by a walk. That may take long, and is waited for as long as it gets on.</summary>
    /// <exception cref="VolumeException">The export does not answer, or has not answered to the last time yet.</exception>
    /// <exception cref="IOException">The volume's directory is missing, or something in it cannot be looked at.</exception>
    internal async Task<TreeUsage> MeasureAsync(Volume volume, CancellationToken cancellation)
    {
        if (!_measuring.IsCompleted) throw new SilentExportException($"{Name} has not answered since a volume of it was last measured: see to it");
        await ReachAsync(cancellation);
        // Not disposed of: a walk that nobody waits for any more looks at it when the kernel lets it go on.
        var stop = new CancellationTokenSource();
        var walk = new TreeWalk(_pace ??= new Pace(EntriesPerSecond), stop.Token);
        // All on the one thread, so that whatever hangs keeps neither Mounts nor the next walk waiting in line.
        var measuring = _walks.RunAsync(
            () =>
            {
                Prepare(volume);
                if (Quota?.ReadUsage(volume) is { } counted) return counted;
                using var directory = Root.Open(volume.Directory, LibC.O_RDONLY);
                return walk.Measure(directory);
            },
            stop.Token);
        _measuring = measuring;
        return await WhileItGetsOnAsync(measuring, () => walk.Steps, stop, cancellation);
    }
}
