using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>The backend <c>local</c>: this host's data root, which the hosts of a cluster share by means that are not volman's.</summary>
internal sealed class LocalExport : Export
{
    readonly string _memory;
    string _id;

    /// <param name="isShared">Several hosts have this root: each of its volumes then names it, and is looked for nowhere else.</param>
    /// <param name="memory">Where this host remembers the root's id.</param>
    internal LocalExport(DirectoryRoot root, SyscallLane lane, bool isShared, string memory, Timings timings)
        : base(root, lane, timings)
    {
        IsShared = isShared;
        Quota = new DirectoryQuota(root);
        _memory = memory;
        _id = Recognise();
        if (IsThere) MakeTrash();
    }

    /// <summary>Takes what is there for the root from now on: no volume is known whose data could be on another.</summary>
    internal void BeginAnew()
    {
        File.Delete(_memory);
        _id = Recognise();
        MakeTrash();
    }

    /// <summary>What the volumes of this root have as their export; empty where there is but one root.</summary>
    internal string RootId => IsShared ? _id : "";

    /// <summary>Whether the root is the one that this host knows, and not the directory on which its disk is not mounted.</summary>
    internal bool IsThere => _id.Length == 0 || DataRootId.IsThere(Root.Path, _id);

    private protected override bool IsShared { get; }

    private protected override DirectoryQuota Quota { get; }

    internal override string Name => $"the disk of {Root.Path}";

    internal override Task<string?> FindTroubleAsync(CancellationToken cancellation) => Task.FromResult(IsThere ? null : $"the data root {Root.Path} is not there: mount its disk");

    private protected override void Prepare(Volume volume)
    {
        if (IsShared && volume.Export != RootId)
        {
            throw new VolumeException($"volume {volume.Name} (made on host {volume.CreatedOnHost}) does not lie in this host's data root {Root.Path}: mount the cluster's shared directory there, and start volman again");
        }

        if (!IsThere) throw new VolumeException($"volume {volume.Name} cannot be reached: the data root {Root.Path} is not there, mount its disk");
    }

    string Recognise()
    {
        try
        {
            return DataRootId.Recognise(Root.Path, _memory);
        }
        catch (VolumeException) when (!IsShared)
        {
            // A full or read-only disk: what is on it can be used all the same.
            return "";
        }
    }
}
