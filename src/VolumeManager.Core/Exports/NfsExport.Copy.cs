using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>Copies to a server are written through a mount of their own, which is gone before they are compared.</content>
/// <remarks>
/// A server lends files to the client that writes them (delegations: RFC 8881, section 10.4; with their times: RFC 9754). The client then keeps times of change, and may keep data, to
/// itself, and gets from its memory what it compares; when it loses power, or another client looks, they are the time of the copy. What is unmounted is given back.
/// </remarks>
internal sealed partial class NfsExport
{
    readonly ConcurrentDictionary<string, bool> _copies = new(StringComparer.Ordinal);

    // They wait for the server. Those that let go of it do not wait behind them.
    readonly SyscallLane _givenBack = new("nfs copy", maxThreads: 2);

    /// <summary>The mounts of copies that are being written now.</summary>
    internal IEnumerable<string> CopyMountPoints => _copies.Keys;

    internal override async Task FillAsync(Volume copy, Func<SafeFileHandle, Task> fill, CancellationToken cancellation)
    {
        // Another one for each attempt: what is left of the one before may be unmounted late.
        var mountPoint = $"{_mountPoint}.{Guid.NewGuid():N}";
        _copies[mountPoint] = true;
        try
        {
            await ReachAsync(cancellation);
            using (var target = await PatientlyAsync(token => _questions.RunAsync(() => OpenApart(mountPoint, Staged(copy)), token), cancellation)) await fill(target);
            await GiveBackAsync(mountPoint, cancellation);
        }
        finally
        {
            // Nothing is there any more, or the copy has failed and nobody waits for what of it is still under way.
            _ = _givenBack.RunAsync(() => LibC.Umount2(mountPoint, LibC.MNT_DETACH | LibC.UMOUNT_NOFOLLOW), CancellationToken.None)
                .ContinueWith(_ => Forget(mountPoint), TaskScheduler.Default);
        }
    }

    SafeFileHandle OpenApart(string mountPoint, string directory)
    {
        MountAt(mountPoint, _options.Apart);
        return DirectoryRoot.MountedAt(mountPoint).Open(directory, LibC.O_RDONLY);
    }

    /// <summary>Unmounts, and waits until the server has all.</summary>
    async Task GiveBackAsync(string mountPoint, CancellationToken cancellation)
    {
        for (var began = Stopwatch.GetTimestamp(); ; await Task.Delay(Timings.MountRetry, cancellation))
        {
            try
            {
                await _givenBack.RunAsync(() => LibC.Check(LibC.Umount2(mountPoint, LibC.UMOUNT_NOFOLLOW), "umount", mountPoint), CancellationToken.None).WaitAsync(cancellation);
                return;
            }
            catch (LinuxException e) when (e.Errno == LibC.EBUSY && Stopwatch.GetElapsedTime(began) < Timings.ExportAnswer)
            {
                // Whoever looks around on this host.
            }
            catch (LinuxException e)
            {
                throw new VolumeException($"{mountPoint} cannot be unmounted ({e.Message}): see who works in it, then try again", e);
            }
        }
    }

    void Forget(string mountPoint)
    {
        try
        {
            Directory.Delete(mountPoint);
        }
        catch (IOException)
        {
            // Still mounted: whoever looks for leftovers takes it away.
        }

        _copies.TryRemove(mountPoint, out _);
    }
}
