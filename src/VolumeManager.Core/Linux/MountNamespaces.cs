using System.Globalization;

namespace VolumeManager.Linux;

/// <summary>Looks into every mount namespace of the host: a container that uses a volume holds a clone of its mount there, whatever the engine has forgotten.</summary>
internal static class MountNamespaces
{
    /// <summary>A directory as the kernel names it in every namespace: its file system, and its path within that.</summary>
    /// <param name="FileSystem">Its device; or the NFS server, as sources name it. A server's directory has another device for each set of options that it is mounted with.</param>
    internal readonly record struct Location(string FileSystem, string Root)
    {
        /// <summary>Finds the location of a directory of this process's namespace. Its path must be free of symbolic links.</summary>
        internal static Location Of(string directory, IEnumerable<MountInfo> mounts)
        {
            var found = MountInfo.Covering(directory, mounts);
            var below = directory[found.MountPoint.TrimEnd('/').Length..];
            return new Location(found.Device, (found.Root.TrimEnd('/') + below) is { Length: > 0 } root ? root : "/");
        }

        internal bool Holds(in MountInfo mount) => (mount.Device == FileSystem || mount.Server == FileSystem) && MountInfo.IsAtOrBelow(mount.Root, Root);
    }

    // What containers have for process 1 when it is not their program itself: docker run --init, podman, and inits that images bring.
    static readonly string[] s_containerInits = ["docker-init", "tini", "catatonit", "dumb-init", "pause"];

    /// <summary>Whether the host's processes are seen from here. In a container that does not share its process ids with the host /proc hides them.</summary>
    internal static bool AreSeen { get; } = Environment.ProcessId != 1 && !s_containerInits.Contains(ReadInit());

    static string ReadInit()
    {
        try
        {
            return File.ReadAllText("/proc/1/comm").Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }

    /// <summary>What to say when they are not.</summary>
    internal const string Unseen = "the engine's processes cannot be seen from here, so it is not known what its containers use, and nothing is removed: give volman's container the host's process ids (--pid=host)";

    /// <summary>A path as every copy of our tree shows it, wherever that is mounted: the location of its folder, and its name there.</summary>
    readonly record struct Place(Location Folder, string Name)
    {
        internal static Place? Of(string path, List<MountInfo> mounts) =>
            Path.GetDirectoryName(path) is { } folder && mounts.Exists(m => MountInfo.IsAtOrBelow(folder, m.MountPoint))
                ? new Place(Location.Of(folder, mounts), Path.GetFileName(path))
                : null;
    }

    /// <summary>For each of <paramref name="locations"/>, whether some namespace has it or a part of it mounted elsewhere than at its place in our own tree.</summary>
    /// <param name="locations">Each with the path at which volman itself mounts it: copies of the host's tree in other namespaces show it there, and hold nothing. Nor does
    /// a disk that is mounted at the directory's own path. Both go by other paths where volman runs in a container: they are known by what their folders are.</param>
    /// <returns>The targets that are held.</returns>
    internal static HashSet<string> FindHeld(IReadOnlyCollection<(string Target, Location Location, string Path)> locations)
    {
        // What cannot be seen must count as held.
        if (!AreSeen) return [.. locations.Select(l => l.Target)];
        var ours = MountInfo.Read();
        var searched = locations.Select(l => (l.Target, l.Location, Mounted: Place.Of(l.Target, ours), Lies: Place.Of(l.Path, ours))).ToList();
        var held = new HashSet<string>(StringComparer.Ordinal);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            var id = Path.GetFileName(process);
            if (!int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out _)) continue;
            try
            {
                // Who may not trace a process (a managed plugin: ptrace(2)) does not learn the name of its namespace, but may read its mounts.
                var mountNamespace = new FileInfo($"{process}/ns/mnt").LinkTarget;
                if (mountNamespace is not null && seen.Contains(mountNamespace)) continue;
                var mounts = MountInfo.Read(id);
                if (mountNamespace is not null) seen.Add(mountNamespace);
                foreach (var mount in mounts)
                {
                    foreach (var (target, location, mounted, lies) in searched)
                    {
                        if (location.Holds(mount) && !(Place.Of(mount.MountPoint, mounts) is { } place && (place == mounted || place == lies))) held.Add(target);
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The process ended while we looked. Its namespace may live on in another process, which comes later or came before.
                continue;
            }
        }

        return held;
    }
}
