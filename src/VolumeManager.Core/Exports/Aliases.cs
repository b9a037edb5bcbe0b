using VolumeManager.Catalog;
using VolumeManager.Volumes;

namespace VolumeManager.Exports;

/// <summary>
/// Places that are one directory under several names: one NFS server may be called <c>nas</c>, <c>nas.lan</c> and <c>10.0.0.5</c>, and a data root may lie on it. The catalog
/// compares names. Here it is tried: what is made in the one place is looked for in the other.
/// </summary>
internal static class Aliases
{
    /// <param name="Same">The volumes that lie in the place after all.</param>
    /// <param name="Unknown">Those of which that could not be found out, and why.</param>
    internal sealed record Found(IReadOnlyList<Volume> Same, IReadOnlyList<(Volume Volume, string Why)> Unknown);

    /// <summary>Makes sure that a volume's directory is nobody else's by another name of its place: the catalog sees that directories overlap where their places are called the same.
    /// Asks no server unless the directories of two places are.</summary>
    /// <exception cref="VolumeException">It is, contains or lies in that of a volume whose place has another name.</exception>
    internal static async Task CheckAsync(VolumeCatalog catalog, ExportTable exports, Volume asked, CancellationToken cancellation)
    {
        var suspects = (await catalog.ListAsync(cancellation)).Where(v => v.IsLiving && !v.IsBeside(asked) && v.Overlaps(asked)).ToList();
        if ((await FindAsync(exports, asked, suspects, cancellation)).Same is not [var owner, ..]) return;
        var (wanted, has) = (exports.Of(asked).SourceOf(asked), exports.Of(owner).SourceOf(owner));
        throw new VolumeException($"volume {asked.Name} cannot have the directory {wanted}, which overlaps that of volume {owner.Name}, for {has} is in the same place under another name: choose another path or place");
    }

    /// <summary>Which of some volumes of other places, as the catalog tells it, lie in the same place as <paramref name="any"/>.</summary>
    /// <exception cref="VolumeException">The place of <paramref name="any"/> does not answer.</exception>
    internal static async Task<Found> FindAsync(ExportTable exports, Volume any, IEnumerable<Volume> suspects, CancellationToken cancellation)
    {
        // Data roots tell themselves apart by their ids.
        var places = suspects.Where(v => !v.IsBeside(any) && (v.Backend == "nfs" || any.Backend == "nfs")).GroupBy(v => (v.Backend, v.Server, v.Export)).Select(place => place.ToList()).ToList();
        if (places.Count == 0) return new Found([], []);
        var export = exports.Of(any);
        var mark = await export.TryMarkAsync(any, cancellation);
        try
        {
            var compared = await Task.WhenAll(places.Select(async place => (Volumes: place, Verdict: await CompareAsync(exports, any, place[0], mark, cancellation))));
            return new Found(
                [.. compared.Where(c => c.Verdict.IsSame).SelectMany(c => c.Volumes)],
                [.. compared.Where(c => c.Verdict is { IsSame: false, WhyUnknown: not null }).SelectMany(c => c.Volumes.Select(v => (v, c.Verdict.WhyUnknown!)))]);
        }
        finally
        {
            if (mark is not null) await export.UnmarkAsync(any, mark);
        }
    }

    static async Task<(bool IsSame, string? WhyUnknown)> CompareAsync(ExportTable exports, Volume any, Volume other, string? mark, CancellationToken cancellation)
    {
        var why = $"nothing can be made in {exports.Of(any).Source} that could be looked for there";
        try
        {
            if (mark is not null) return (await exports.Of(other).HasMarkAsync(other, mark, cancellation).WaitAsync(exports.Timings.AliasAnswer, cancellation), null);
        }
        catch (VolumeException e)
        {
            why = e.Message;
        }
        catch (TimeoutException)
        {
            why = $"{exports.Of(other).Name} has not answered within {exports.Timings.AliasAnswer.TotalSeconds:0} s";
        }

        // What cannot be tried is judged by what the names mean.
        return any.Backend == "nfs" && other.Backend == "nfs" && any.Export == other.Export && await MeanOneAsync(any.Server, other.Server, exports.Timings) ? (true, null) : (false, why);
    }

    static async Task<bool> MeanOneAsync(string server, string other, Timings timings)
    {
        try
        {
            var addresses = await Task.WhenAll(new NfsServer(server, port: 0, timings).ResolveAsync(), new NfsServer(other, port: 0, timings).ResolveAsync());
            return addresses[0].Intersect(addresses[1]).Any();
        }
        catch (VolumeException)
        {
            return false;
        }
    }
}
