using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>An export of the backend <c>nfs</c> whose server is this host: here its directory is used directly, the others mount it (<see cref="ExportPublisher"/>).</summary>
internal sealed class HostExport : Export
{
    readonly string _source;

    /// <param name="source">What the volumes of other hosts lie on: server and path.</param>
    /// <param name="memory">Where this host remembers the directory's id.</param>
    internal HostExport(DirectoryRoot root, SyscallLane lane, string source, string memory, Timings timings)
        : base(root, lane, timings)
    {
        _source = source;
        Quota = new DirectoryQuota(root);
        // Of a directory that is new to this host the catalog has to say first that it is the right one: its disk may not be mounted.
        if (!File.Exists(memory)) Refusal = $"the catalog has not confirmed yet that this host serves {source}: try again in a moment";
        RootId = DataRootId.Recognise(root.Path, memory);
        Memory = memory;
        if (IsThere) MakeTrash();
    }

    internal string Directory => Root.Path;

    /// <summary>The id that the directory bears.</summary>
    internal string RootId { get; }

    /// <summary>Whether the directory is the one that this host knows, and not that on which its disk is not mounted.</summary>
    internal bool IsThere => DataRootId.IsThere(Root.Path, RootId);

    /// <summary>Where this host remembers the id.</summary>
    internal string Memory { get; }

    /// <summary>Why it must not be used, as the catalog tells; null when nothing speaks against it.</summary>
    internal string? Refusal { get; set; }

    internal override string Name => $"the disk of {Root.Path}";

    internal override string Source => _source;

    internal override Task<string?> FindTroubleAsync(CancellationToken cancellation) => Task.FromResult(WhyNot);

    string? WhyNot => Refusal ?? (IsThere ? null : $"what this host exports as {_source} is not at {Root.Path}: mount its disk or, if the directory is right as it is, remove {Memory} and start volman again");

    internal override string SourceOf(Volume volume) => $"{_source.TrimEnd('/')}/{volume.Directory}";

    private protected override bool IsShared => true;

    private protected override DirectoryQuota Quota { get; }

    private protected override void Prepare(Volume volume)
    {
        if (WhyNot is { } why) throw new VolumeException($"volume {volume.Name} cannot be reached: {why}");
    }
}
