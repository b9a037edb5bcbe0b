using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>The backend <c>local</c>: this host's data root, which the hosts of a cluster share by means that are not volman's.</summary>
internal sealed class LocalExport : Export
{
    /// <param name="isShared">Several hosts have this root: each of its volumes then names it, and is looked for nowhere else.</param>
    internal LocalExport(DirectoryRoot root, SyscallLane lane, bool isShared)
        : base(root, lane)
    {
        RootId = isShared ? DataRootId.ReadOrMake(root.Path) : "";
        MakeTrash();
    }

    /// <summary>What the volumes of this root have as their export; empty where there is but one root.</summary>
    internal string RootId { get; }

    private protected override bool IsShared => RootId.Length > 0;

    internal override string Name => $"the disk of {Root.Path}";

    private protected override Task<T> RunAsync<T>(Volume volume, Func<T> call, CancellationToken cancellation, bool isHarmless = false) => OnLaneAsync(
        () =>
        {
            Prepare(volume);
            return call();
        }, cancellation);

    // A million files in a minute, by a tenth of one processor when their inodes are in memory. When they are not it is the disk that sets the pace.
    private protected override int EntriesPerSecond => 20_000;

    private protected override void Prepare(Volume volume)
    {
        if (RootId.Length == 0 || (volume.Export == RootId && DataRootId.Read(Root.Path) == RootId)) return;
        throw new VolumeException(volume.Export == RootId
            ? $"volume {volume.Name} cannot be reached: the data root {Root.Path} is not there, mount its disk"
            : $"volume {volume.Name} (made on host {volume.CreatedOnHost}) does not lie in this host's data root {Root.Path}: mount the cluster's shared directory there, and start volman again");
    }
}
