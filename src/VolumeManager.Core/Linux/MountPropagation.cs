namespace VolumeManager.Linux;

/// <summary>Whether what this process mounts is seen outside its mount namespace.</summary>
internal static class MountPropagation
{
    /// <summary>True when process 1 shares our namespace, or a peer group at <paramref name="directory"/> brings our mounts there (mount_namespaces(7)).</summary>
    internal static bool ReachesInit(string directory)
    {
        try
        {
            if (new FileInfo("/proc/self/ns/mnt").LinkTarget == new FileInfo("/proc/1/ns/mnt").LinkTarget) return true;
            var ours = MountInfo.Covering(directory, MountInfo.Read());
            return ours.PeerGroup is { } group && MountInfo.Read("1").Exists(m => m.PeerGroup == group);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Without sight of process 1 (a container of its own) nothing can be said.
            return true;
        }
    }
}
