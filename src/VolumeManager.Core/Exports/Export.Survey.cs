using VolumeManager.Linux;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <content>What lies on an export, for who compares it with the catalog.</content>
internal abstract partial class Export
{
    /// <param name="Directories">The directories at the top that could be volumes'.</param>
    /// <param name="Trashed">The entries of the trash.</param>
    /// <param name="Missing">Those of the volumes whose directories are not there.</param>
    internal sealed record Survey(IReadOnlyList<string> Directories, IReadOnlyList<string> Trashed, IReadOnlySet<Guid> Missing);

    /// <summary>Looks once at everything. Changes nothing.</summary>
    /// <param name="any">A volume that lies here; null where none does, which only this host's own directories may be asked for.</param>
    /// <param name="expected">The volumes whose directories must be there.</param>
    /// <exception cref="VolumeException">The export does not answer, or cannot be read.</exception>
    internal Task<Survey> SurveyAsync(Volume? any, IReadOnlyCollection<Volume> expected, CancellationToken cancellation)
    {
        return any is null ? OnLaneAsync(Look, cancellation) : RunAsync(any, Look, cancellation, isHarmless: true);

        Survey Look()
        {
            try
            {
                var present = Root.List("").ToHashSet(StringComparer.Ordinal);
                return new Survey(
                    [.. Directories("", present)],
                    IsDirectory(Trash) ? Root.List(Trash) : [],
                    // Most lie at the top, where one reading tells of them all.
                    expected.Where(v => !(present.Contains(v.TopDirectory) && IsDirectory(v.Directory))).Select(v => v.Id).ToHashSet());
            }
            catch (LinuxException e)
            {
                throw new VolumeException($"{Root.Path} cannot be read ({e.Message}): {Cure(e)}", e);
            }
        }
    }

    /// <summary>The directories in a directory that could be volumes', sorted, and whether each is empty.</summary>
    /// <param name="any">As that of a survey.</param>
    /// <param name="relative">Empty for the export itself.</param>
    /// <exception cref="VolumeException">It cannot be read.</exception>
    internal Task<List<(string Name, bool IsEmpty)>> ListDirectoriesAsync(Volume any, string relative, CancellationToken cancellation) => RunAsync(any, () =>
    {
        var directories = new List<(string, bool)>();
        foreach (var name in Directories(relative, Root.List(relative)))
        {
            try
            {
                directories.Add((name, Root.IsEmpty(Below(relative, name))));
            }
            catch (LinuxException e) when (e.Errno is LibC.ENOENT or LibC.ENOTDIR)
            {
                // Gone meanwhile.
            }
        }

        return directories;
    }, cancellation, isHarmless: true);

    /// <summary>Without what is volman's own or the file system's, which nobody's volume can be called.</summary>
    IEnumerable<string> Directories(string relative, IEnumerable<string> names) =>
        names.Where(name => name[0] != '.' && (relative.Length > 0 || name != "lost+found") && IsDirectory(Below(relative, name))).Order(StringComparer.Ordinal);

    static string Below(string relative, string name) => relative.Length == 0 ? name : $"{relative}/{name}";

    /// <summary>Whether the volume's directory is there, and is one.</summary>
    internal Task<bool> HasDirectoryAsync(Volume volume, CancellationToken cancellation) => RunAsync(volume, () => IsDirectory(volume.Directory), cancellation, isHarmless: true);

    bool IsDirectory(string relative)
    {
        try
        {
            return Root.Exists(relative);
        }
        catch (LinuxException e) when (e.Errno is LibC.ENOTDIR or LibC.ELOOP or LibC.EXDEV)
        {
            return false;
        }
    }

    /// <summary>What keeps volumes from being made here, with a cure; null when nothing does, or when all of them are read-only and nobody is hindered.</summary>
    /// <param name="volumes">Those that lie here.</param>
    /// <param name="any">One of them, if there is one.</param>
    /// <exception cref="VolumeException">The export does not answer.</exception>
    internal async Task<(string Why, string Cure)?> FindHindranceAsync(IReadOnlyCollection<Volume> volumes, Volume? any, CancellationToken cancellation)
    {
        if (volumes.Count > 0 && volumes.All(v => v.Access == AccessMode.ReadOnly)) return null;
        try
        {
            return await ProbeAsync(any, cancellation).WaitAsync(Timings.ExportAnswer, cancellation);
        }
        catch (TimeoutException)
        {
            throw new SilentExportException($"{Name} has not answered within {Timings.ExportAnswer.TotalSeconds:0} s: see to it");
        }
    }

    /// <summary>Finds out whether volumes can be made here with the owners that they are to have, by a mark that is removed at once. Those that killed daemons have left are removed, too.</summary>
    /// <returns>What speaks against it, with a cure; null when nothing does.</returns>
    /// <exception cref="VolumeException">The export does not answer.</exception>
    internal Task<(string Why, string Cure)?> ProbeAsync(Volume? any, CancellationToken cancellation)
    {
        return any is null ? OnLaneAsync(Probe, cancellation) : RunAsync(any, Probe, cancellation, isHarmless: true);

        (string, string)? Probe()
        {
            var mark = NewMark();
            try
            {
                Root.TryMake(mark, mode: 0x1C0 /* 0700 */, uid: 1, gid: 1);
                return null;
            }
            catch (LinuxException e)
            {
                // The same text whenever it is the same matter.
                return (e.Message.Replace(mark, MarkPrefix + "…", StringComparison.Ordinal), Cure(e));
            }
            finally
            {
                Unmark(mark);
            }
        }
    }
}
