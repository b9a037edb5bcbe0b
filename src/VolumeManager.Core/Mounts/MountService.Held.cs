using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Mounts;

/// <content>Who still has a volume, whatever engine and catalog say: the mount namespaces of the containers tell.</content>
internal sealed partial class MountService
{
    /// <summary>Whether a container's mount namespace holds the volume's directory, whatever the engine says; also when nobody can say that none does.</summary>
    internal async Task<bool> IsHeldByContainerAsync(Volume volume, CancellationToken cancellation) => (await FindHeldAsync([volume], cancellation)).MayHold(volume.Name);

    /// <summary>Whether a container has what is mounted at the place of a volume, whatever that is.</summary>
    internal Task<bool> IsTargetHeldAsync(string name, CancellationToken cancellation) =>
        exports.RunAsync(() => MountNamespaces.FindHeld([(TargetOf(name), MountNamespaces.Location.Of(TargetOf(name), MountInfo.Read()), TargetOf(name))]).Count > 0, cancellation);

    /// <summary>Finds out which volumes containers hold. Exports that have to be mounted for that are mounted, all at once; what a silent server has stays unseen after some seconds.</summary>
    internal async Task<HeldVolumes> FindHeldAsync(IReadOnlyCollection<Volume> volumes, CancellationToken cancellation)
    {
        var found = await LookForHeldAsync(volumes, cancellation);
        if (found.Unseen.Count == 0) return found;
        await Task.WhenAll(exports.OnNfs(volumes.Where(v => found.Unseen.Contains(v.Name))).Select(e => e.Key.MakeSeenAsync(cancellation)));
        return await LookForHeldAsync(volumes, cancellation);
    }

    /// <summary>The same, as far as it can be seen now: no server is asked.</summary>
    internal Task<HeldVolumes> LookForHeldAsync(IReadOnlyCollection<Volume> volumes, CancellationToken cancellation) => exports.RunAsync(
        () =>
        {
            var mounts = MountInfo.Read();
            var targets = MountNamespaces.FindHeld([.. volumes.SelectMany(v => exports.Of(v).PlacesOf(v, mounts).Select(place => (TargetOf(v.Name), place.Location, place.Path)))]);
            var unseen = volumes.Select(exports.Of).Distinct().Where(e => !e.CanBeSeen(mounts)).ToHashSet();
            return new HeldVolumes(
                volumes.Where(v => targets.Contains(TargetOf(v.Name))).Select(v => v.Name).ToHashSet(StringComparer.Ordinal),
                volumes.Where(v => !targets.Contains(TargetOf(v.Name)) && unseen.Contains(exports.Of(v))).Select(v => v.Name).ToHashSet(StringComparer.Ordinal));
        }, cancellation);
}
