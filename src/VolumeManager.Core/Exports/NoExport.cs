using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>Where volumes lie whose rows are not valid (<see cref="Volume.Fault"/>): nowhere. Whatever would touch a disk or a server says why not.</summary>
internal sealed class NoExport(SyscallLane lane, Timings timings) : Export(DirectoryRoot.MountedAt("/nowhere"), lane, timings)
{
    internal override string Name => "no export";

    internal override string Source => "nowhere";

    private protected override bool IsShared => false;

    internal override string SourceOf(Volume volume) => Source;

    internal override string SizeEnforced(Volume volume) => "no: the volume cannot be used";

    internal override IEnumerable<(MountNamespaces.Location Location, string Path)> PlacesOf(Volume volume, List<MountInfo> mounts) => [];

    /// <remarks>It may have been mounted before its row became what it is, and a container may have it still.</remarks>
    internal override bool CanBeSeen(List<MountInfo> mounts) => false;

    internal override Task<string?> FindTroubleAsync(CancellationToken cancellation) => Task.FromResult<string?>(null);

    private protected override void Prepare(Volume volume) => volume.CheckUsable();
}
