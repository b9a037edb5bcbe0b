using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>What lies in an export, whosever it is.</content>
internal abstract partial class Export
{
    /// <summary>The directories in a directory, sorted, but for hidden ones, which are nobody's volume; and whether each is empty.</summary>
    /// <param name="place">Any volume of this export.</param>
    /// <param name="relative">Empty for the export itself.</param>
    /// <exception cref="VolumeException">It cannot be read.</exception>
    internal Task<List<(string Name, bool IsEmpty)>> ListDirectoriesAsync(Volume place, string relative, CancellationToken cancellation) => RunAsync(place, () =>
    {
        var directories = new List<(string, bool)>();
        foreach (var name in Root.List(relative).Where(name => name[0] != '.').Order(StringComparer.Ordinal))
        {
            try
            {
                directories.Add((name, Root.IsEmpty(relative.Length == 0 ? name : $"{relative}/{name}")));
            }
            catch (LinuxException e) when (e.Errno is LibC.ENOENT or LibC.ENOTDIR or LibC.ELOOP)
            {
                // A file, a link, or gone meanwhile.
            }
        }

        return directories;
    }, cancellation, isHarmless: true);
}
