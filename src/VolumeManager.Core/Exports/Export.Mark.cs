using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>Marks by which an export is recognised that is reached in another way, too.</content>
internal abstract partial class Export
{
    const string MarkPrefix = ".volman-mark-";

    /// <summary>The name of an empty directory at the top that was never there, so that no kernel, server or other host can know it from before, and that no volume can be called. It tells when it was made.</summary>
    static string NewMark() => $"{MarkPrefix}{Guid.CreateVersion7():N}";

    /// <summary>Makes a mark.</summary>
    /// <param name="any">A volume of this export.</param>
    /// <returns>Its name; null when nothing can be made here.</returns>
    /// <exception cref="VolumeException">The export does not answer.</exception>
    internal Task<string?> TryMarkAsync(Volume any, CancellationToken cancellation) => RunAsync(any, () =>
    {
        var mark = NewMark();
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
            await RunAsync(any, () => Unmark(mark), CancellationToken.None);
        }
        catch (VolumeException)
        {
            // As said.
        }
    }

    void Unmark(string mark)
    {
        try
        {
            Root.RemoveIfEmpty(mark);
            foreach (var left in Root.List("").Where(IsLeft)) Root.RemoveIfEmpty(left);
        }
        catch (LinuxException)
        {
            // It cannot be reached any more. Empty, it is in nobody's way.
        }
    }

    /// <summary>Whether whoever made a mark was killed at it: marks are there for seconds, and no clock is wrong by a day.</summary>
    static bool IsLeft(string name) =>
        name.StartsWith(MarkPrefix, StringComparison.Ordinal) && Guid.TryParseExact(name[MarkPrefix.Length..], "N", out var id)
        && DateTimeOffset.FromUnixTimeMilliseconds(Convert.ToInt64(id.ToString("N")[..12], 16)) < DateTimeOffset.UtcNow.AddDays(-1);
}
