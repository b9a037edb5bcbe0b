using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>
/// The projects of the volumes whose directories are this host's own: each volume has one where the file system counts projects, so that its usage is known at once
/// and its <c>size</c> is a limit that the kernel enforces. What project a volume has stands on its directory and nowhere else.
/// </summary>
internal sealed class DirectoryQuota(DirectoryRoot root)
{
    // Ids that people give by hand are small. Not above 2^31: some tools take them for signed numbers.
    const uint FirstId = 1 << 24;
    const uint LastId = int.MaxValue;
    const string Enforced = "yes";

    // The largest block of XFS, to which limits are rounded.
    const long Rounding = 64 * 1024;

    // By volume, for Status, which must not touch the disk. Volumes without a size have no entry.
    readonly ConcurrentDictionary<Guid, string> _known = new();
    readonly string _none = $"no: the file system of {root.Path} has no project quotas; use XFS or ext4, mounted with prjquota";
    readonly string _counts = $"no: the file system of {root.Path} counts what projects hold, but does not limit it; mount it with prjquota";
    ProjectQuota.Mode? _mode;
    HashSet<Guid> _absent = [];

    /// <summary>Whether <c>size</c> is enforced, as far as is known: "yes", or "no: " and a reason with its cure.</summary>
    internal string DescribeLimit(Volume volume) => _known.GetValueOrDefault(volume.Id, "unknown: its directory was not looked at since volman started");

    /// <summary>
    /// Gives the volume's directory a project if it has none, and the project the limit that <c>size</c> asks for, none without. May be done any number of times. A directory that
    /// holds data without a project is left as it is, for its files would have to be changed one by one.
    /// </summary>
    /// <remarks>Never throws: a volume whose size cannot be enforced is a volume all the same, and Status says why.</remarks>
    internal void Apply(Volume volume)
    {
        string known;
        try
        {
            known = Judge(volume, directory =>
            {
                var project = ProjectQuota.ProjectOf(directory);
                if (project.Id == 0 && DirectoryEntries.ReadNext(directory).Count == 0) project = new ProjectQuota.Project(GiveProject(directory), Inherits: true);
                if (WhyForeign(volume, project) is { } why) return why;
                var limit = volume.SizeBytes ?? 0;
                if (!IsLimit(ProjectQuota.UsageOf(directory, project.Id).Limit, limit)) ProjectQuota.SetLimit(directory, project.Id, limit);
                return null;
            });
        }
        catch (LinuxException e)
        {
            known = $"no: the kernel refused it ({e.Message})";
        }

        if (volume.SizeBytes is not null) _known[volume.Id] = known;
    }

    internal bool Knows(Volume volume) => _known.ContainsKey(volume.Id);

    /// <summary>Finds out for a volume that was not looked at yet whether its size is enforced. Changes nothing.</summary>
    /// <exception cref="LinuxException">The directory cannot be asked.</exception>
    internal void Look(Volume volume)
    {
        if (volume.SizeBytes is not { } size) return;
        var known = Judge(volume, directory =>
        {
            var project = ProjectQuota.ProjectOf(directory);
            return WhyForeign(volume, project)
                ?? (IsLimit(ProjectQuota.UsageOf(directory, project.Id).Limit, size) ? null : "no: its project has another limit; it gets this one when the volume is next mounted");
        });
        // What a Mount has found out meanwhile is newer.
        _known.TryAdd(volume.Id, known);
    }

    /// <param name="look">The reason why the limit is not the volume's, or null.</param>
    string Judge(Volume volume, Func<SafeFileHandle, string?> look)
    {
        using var directory = root.Open(volume.Directory, LibC.O_RDONLY);
        var mode = ProjectQuota.ModeOf(directory);
        if (mode == ProjectQuota.Mode.None) return _none;
        return WhyShared(volume.Directory, directory) ?? look(directory) ?? (mode == ProjectQuota.Mode.Limits ? Enforced : _counts);
    }

    /// <summary>Forgets what is known of volumes that are not among these, and of all when the file system began or ceased to have quotas.</summary>
    internal void Refresh(IReadOnlyCollection<Volume> volumes)
    {
        var living = volumes.Select(v => v.Id).ToHashSet();
        var absent = _known.Keys.Where(id => !living.Contains(id)).ToHashSet();
        // One that is absent for the first time may have been created after these were listed.
        foreach (var id in absent.Where(_absent.Contains)) _known.TryRemove(id, out _);
        _absent = absent;

        using var directory = root.Open("", LibC.O_RDONLY);
        var mode = ProjectQuota.ModeOf(directory);
        if (mode != (_mode ?? mode)) _known.Clear();
        _mode = mode;
    }

    /// <summary>What the volume holds, without looking at its files: what du(1) finds, and files which are deleted but still open besides.</summary>
    /// <returns>Null where its files have to be counted: it has no project of its own.</returns>
    internal TreeUsage? ReadUsage(Volume volume)
    {
        using var directory = root.Open(volume.Directory, LibC.O_RDONLY);
        if (ProjectQuota.ModeOf(directory) == ProjectQuota.Mode.None || WhyShared(volume.Directory, directory) is not null) return null;
        var project = ProjectQuota.ProjectOf(directory);
        if (WhyForeign(volume, project) is not null) return null;
        var usage = ProjectQuota.UsageOf(directory, project.Id);
        return new TreeUsage(usage.Bytes, usage.Files);
    }

    /// <summary>Takes the limit from the project of a directory that is about to be deleted: the next one with that id starts afresh.</summary>
    /// <remarks>Before the data goes: afterwards the id may be another volume's, and a daemon that is killed in between would leave the limit for ever.</remarks>
    internal void Release(string relative)
    {
        try
        {
            using var directory = root.Open(relative, LibC.O_RDONLY);
            if (ProjectQuota.ModeOf(directory) == ProjectQuota.Mode.None) return;
            var project = ProjectQuota.ProjectOf(directory);
            if (IsOurs(project) && ProjectQuota.UsageOf(directory, project.Id).Limit != 0) ProjectQuota.SetLimit(directory, project.Id, bytes: 0);
        }
        catch (LinuxException)
        {
            // A limit that is left over is found by whoever is about to choose its id.
        }
    }

    /// <summary>A directory with a project that its entries inherit: they cannot leave it by a rename (EXDEV), and its limit is for all of them together.</summary>
    string? WhyShared(string relative, SafeFileHandle directory)
    {
        var path = relative.LastIndexOf('/') is > 0 and var slash ? relative[..slash] : "";
        using var parent = relative.Length == 0 ? null : root.Open(path, LibC.O_RDONLY);
        return ProjectQuota.ProjectOf(parent ?? directory) is { Id: not 0, Inherits: true } project
            ? $"no: {root.Path}{(path.Length == 0 ? "" : "/")}{path} belongs to project {project.Id}, whose limit is for all that lies in it together"
            : null;
    }

    string? WhyForeign(Volume volume, ProjectQuota.Project project) =>
        IsOurs(project) ? null
        : project.Id == 0 ? $"no: {root.Path}/{volume.Directory} holds data that no project counts; create the volume anew and copy it, or see \"Quotas\" in docs/operations.md"
        : $"no: {root.Path}/{volume.Directory} belongs to project {project.Id}, which volman did not give it";

    static bool IsOurs(ProjectQuota.Project project) => project is { Id: >= FirstId and <= LastId, Inherits: true };

    static bool IsLimit(long limit, long size) => size == 0 ? limit == 0 : limit >= size && limit - size < Rounding;

    /// <summary>Gives an empty directory a project that has nothing else and no limit.</summary>
    static uint GiveProject(SafeFileHandle directory)
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            // Close together, for the kernel keeps neighbours in one block, which it never gives back (XFS). Twice as many each time: the lower ones may all be in use.
            var id = FirstId + (uint)Random.Shared.Next(1 << Math.Min(10 + attempt, 30));
            if (ProjectQuota.UsageOf(directory, id) != default) continue;
            ProjectQuota.SetProject(directory, id);
            // Somebody else may have found it free in the same moment: who sees that takes another one.
            if (ProjectQuota.UsageOf(directory, id).Files <= 1) return id;
        }

        throw new LinuxException("choose", "a project id", LibC.EBUSY);
    }
}
