using System.Globalization;
using VolumeManager.Catalog;

namespace VolumeManager.Volumes;

/// <summary>The options that are in force for a volume, defaults included, in one spelling: what Status shows, and what a second Create is compared with.</summary>
internal static class EffectiveOptions
{
    internal static SortedDictionary<string, string> Of(Volume volume)
    {
        var options = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["backend"] = volume.Backend,
            ["access"] = EnumText.Of(volume.Access),
            ["on-remove"] = EnumText.Of(volume.OnRemove),
        };
        if (volume.Backend == "nfs")
        {
            options["server"] = volume.Server;
            options["export"] = volume.Export;
            if (volume.Options.TryGetValue("nfsopts", out var own)) options["nfsopts"] = own;
        }

        if (volume.Adopted)
        {
            options["path"] = volume.Directory;
        }
        else
        {
            options["uid"] = volume.Uid.ToString(CultureInfo.InvariantCulture);
            options["gid"] = volume.Gid.ToString(CultureInfo.InvariantCulture);
            options["mode"] = "0" + Convert.ToString(volume.Mode, 8);
        }

        if (volume.SizeBytes is { } size) options["size"] = size.ToString(CultureInfo.InvariantCulture);
        return options;
    }

    /// <summary>What keeps <paramref name="asked"/> from being the same volume as <paramref name="existing"/>, in words for an error; empty when nothing does.</summary>
    internal static string Difference(Volume existing, Volume asked)
    {
        var has = WithLabels(existing);
        var wanted = WithLabels(asked);
        return string.Join(", ", has.Keys.Union(wanted.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .Where(key => has.GetValueOrDefault(key) != wanted.GetValueOrDefault(key))
            .Select(key => $"{key} is {Shown(has, key)}, not {Shown(wanted, key)}"));
    }

    static SortedDictionary<string, string> WithLabels(Volume volume)
    {
        var options = Of(volume);
        foreach (var (key, value) in volume.Labels) options["label." + key] = value;
        return options;
    }

    static string Shown(SortedDictionary<string, string> options, string key) => options.TryGetValue(key, out var value) ? Quoted.Text(value) : "unset";
}
