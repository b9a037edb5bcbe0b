using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>What containers have of the export's volumes is recognised by two things, for each alone misses some.</content>
/// <remarks>
/// By the device: it is another one when the export is mounted with other options than it was for the container, and it is not known while the export is not mounted here.
/// By the source: the kernel keeps the name by which a directory of a server was mounted first, which need not have been volman's.
/// </remarks>
internal sealed partial class NfsExport
{
    internal override IEnumerable<(MountNamespaces.Location Location, string Path)> PlacesOf(Volume volume, List<MountInfo> mounts) =>
        base.PlacesOf(volume, mounts).Concat(PathsOf(volume).Select(path => (new MountNamespaces.Location(ServerInSource, _path.TrimEnd('/') + path[_mountPoint.Length..]), path)));

    string ServerInSource => Source[..^(":".Length + _path.Length)];

    internal override bool CanBeSeen(List<MountInfo> mounts) => mounts.Exists(m => m.MountPoint == _mountPoint);

    /// <summary>Mounts the export if it is not mounted, so that what containers have of it can be seen. One that is mounted is not asked.</summary>
    /// <remarks>Comes back after some seconds whatever the server does; whether it is mounted then is for <see cref="CanBeSeen"/> to say.</remarks>
    internal async Task MakeSeenAsync(CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(Timings.ExportSeen);
        try
        {
            await ReachAsync(patience.Token);
            await AskAsync(MountUnlessMounted, patience.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // It is not seen.
        }
        catch (Exception e) when (e is VolumeException or IOException or UnauthorizedAccessException)
        {
            // Neither is it.
        }
    }

    bool MountUnlessMounted()
    {
        _usedAt = Environment.TickCount64;
        lock (_gate)
        {
            if (!IsMounted()) Mount();
        }

        return true;
    }
}
