using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>Marks by which an export is recognised that is reached in another way, too.</content>
internal abstract partial class Export
{
    /// <summary>Makes an empty directory at the top whose name was never there, so that no kernel or server can know it from before, and that no volume can be called.</summary>
    /// <param name="any">A volume of this export.</param>
    /// <returns>Its name; null when nothing can be made here.</returns>
    /// <exception cref="VolumeException">The export does not answer.</exception>
    internal Task<string?> TryMarkAsync(Volume any, CancellationToken cancellation) => RunAsync(any, () =>
    {
        var mark = $".volman-mark-{Guid.NewGuid():N}";
        try
        {
            Root.TryMake(mark, mode: 0x1C0 /* 0700 */, uid: 0, gid: 0);
            return mark;
        }
        catch (LinuxException)
        {
            // It may be there, and have another owner than it was to have, which nobody minds.
            return IsDirectory(mark) ? mark : null;
        }
    }, cancellation);

    /// <summary>Whether the mark is seen here.</summary>
    /// <exception cref="VolumeException">The export does not answer, or cannot be read.</exception>
    internal Task<bool> HasMarkAsync(Volume any, string mark, CancellationToken cancellation) => RunAsync(any, () =>
    {
        try
        {
            return IsDirectory(mark);
        }
        catch (LinuxException e)
        {
            throw new VolumeException($"{Source} cannot be read ({e.Message}): {Cure(e)}", e);
        }
    }, cancellation, isHarmless: true);

    /// <summary>Takes a mark away. One that cannot be stays, empty, in nobody's way.</summary>
    internal async Task UnmarkAsync(Volume any, string mark)
    {
        try
        {
            await RunAsync(any, () => Root.RemoveIfEmpty(mark), CancellationToken.None);
        }
        catch (Exception e) when (e is VolumeException or LinuxException)
        {
            // As said.
        }
    }
}
