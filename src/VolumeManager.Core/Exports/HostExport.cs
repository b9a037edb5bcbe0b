using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>An export of the backend <c>nfs</c> whose server is this host: here its directory is used directly, the others mount it (<see cref="ExportPublisher"/>).</summary>
internal sealed class HostExport : Export
{
    readonly string _source;

    /// <param name="source">What the volumes of other hosts lie on: server and path.</param>
    internal HostExport(DirectoryRoot root, SyscallLane lane, string source)
        : base(root, lane)
    {
        _source = source;
        RootId = DataRootId.ReadOrMake(root.Path);
        MakeTrash();
    }

    internal string Directory => Root.Path;

    /// <summary>The id that the directory bears.</summary>
    internal string RootId { get; }

    internal override string Name => $"the disk of {Root.Path}";

    internal override string SourceOf(Volume volume) => $"{_source.TrimEnd('/')}/{volume.Directory}";

    private protected override bool IsShared => true;

    private protected override Task<T> RunAsync<T>(Volume volume, Func<T> call, CancellationToken cancellation, bool isHarmless = false) => OnLaneAsync(
        () => DataRootId.Read(Root.Path) == RootId
            ? call()
            : throw new VolumeException($"volume {volume.Name} cannot be reached: what this host exports as {_source} is not at {Root.Path} any more, mount its disk"),
        cancellation);
}
