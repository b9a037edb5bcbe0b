namespace VolumeManager.Mounts;

/// <summary>Which of some volumes the containers of this host have, as their mount namespaces tell.</summary>
/// <param name="Held">The names of those that some container was seen to have.</param>
/// <param name="Unseen">The names of those that were not found, and of which nobody can say that they are not there: their export is not mounted here.</param>
internal sealed record HeldVolumes(IReadOnlySet<string> Held, IReadOnlySet<string> Unseen)
{
    /// <summary>Whether a container has the volume, or may have it: what may be in use is not touched.</summary>
    internal bool MayHold(string name) => Held.Contains(name) || Unseen.Contains(name);
}
