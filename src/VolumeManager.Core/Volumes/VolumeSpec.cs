using System.Collections.Immutable;
using System.Globalization;
using VolumeManager.Catalog;
using VolumeManager.Exports;

namespace VolumeManager.Volumes;

/// <summary>The options of one Create, checked: what they ask for, and exactly what the user passed.</summary>
internal sealed record VolumeSpec
{
    internal const string LabelPrefix = "label.";
    const int MaxValueLength = 4096;
    const int MaxOptions = 256;
    const int MaxKeyLength = 160;

    internal required string Backend { get; init; }
    internal string Server { get; init; } = "";
    internal string Export { get; init; } = "";
    internal string? Path { get; init; }
    internal AccessMode Access { get; init; }
    internal long? SizeBytes { get; init; }
    internal long Uid { get; init; }
    internal long Gid { get; init; }
    internal int Mode { get; init; } = Convert.ToInt32("755", 8);
    internal OnRemove OnRemove { get; init; }
    internal ImmutableDictionary<string, string> Options { get; init; } = ImmutableDictionary<string, string>.Empty;
    internal ImmutableDictionary<string, string> Labels { get; init; } = ImmutableDictionary<string, string>.Empty;

    /// <param name="options">As the engine sent them; null is the same as none.</param>
    /// <param name="settings">What is not said follows them.</param>
    /// <exception cref="VolumeException">An option is unknown, or its value is not allowed; the message names the key and the cure.</exception>
    internal static VolumeSpec Parse(IReadOnlyDictionary<string, string?>? options, Settings settings)
    {
        options ??= ImmutableDictionary<string, string?>.Empty;
        var spec = new VolumeSpec { Backend = settings.Backend };
        if (options.Count > MaxOptions) throw new VolumeException($"{options.Count} options are too many: pass at most {MaxOptions}");
        foreach (var (key, value) in options) spec = spec.Add(key, value);

        spec = spec.Backend == "nfs" ? spec.OnNfs(options, settings) : spec.OnLocal(options);
        if (spec.Path is null) return spec;
        foreach (var key in (string[])["uid", "gid", "mode"])
        {
            if (options.ContainsKey(key)) throw Refuse(key, "does not go with path, whose directory has an owner and a mode already", "leave it out");
        }

        // Data that was here before us stays when its volume goes, unless the user says otherwise.
        return options.ContainsKey("on-remove") ? spec : spec with { OnRemove = OnRemove.Retain };
    }

    /// <summary>A volume with some of its options changed.</summary>
    /// <param name="changes">Null takes an option back to its default.</param>
    /// <exception cref="VolumeException">An option is unknown or fixed, or its value is not allowed.</exception>
    internal static Volume Change(Volume volume, IReadOnlyDictionary<string, string?> changes, Settings settings)
    {
        foreach (var key in changes.Keys.Where(key => !key.StartsWith(LabelPrefix, StringComparison.Ordinal)))
        {
            if (key is "backend" or "server" or "export" or "path") throw Refuse(key, "says where the data lies", "use volman volume move");
            if (key is "uid" or "gid" or "mode") throw Refuse(key, "is used when the directory is made, and never again", "change the directory's owner or mode in a container");
        }

        var given = changes.Where(c => c.Value is not null).ToDictionary(StringComparer.Ordinal);
        given["backend"] = volume.Backend;
        if (volume.Backend == "nfs") (given["server"], given["export"]) = (volume.Server, volume.Export);
        if (volume.Adopted) given["path"] = volume.Directory;
        var spec = Parse(given, settings);
        // What is taken back must be an option, too.
        foreach (var key in changes.Where(c => c.Value is null && c.Key is not ("access" or "size" or "on-remove" or "nfsopts")).Select(c => c.Key))
        {
            if (!key.StartsWith(LabelPrefix, StringComparison.Ordinal)) throw Unknown(key);
        }

        var changed = volume with
        {
            Access = changes.ContainsKey("access") ? spec.Access : volume.Access,
            SizeBytes = changes.ContainsKey("size") ? spec.SizeBytes : volume.SizeBytes,
            OnRemove = changes.ContainsKey("on-remove") ? spec.OnRemove : volume.OnRemove,
            Options = Merge(volume.Options, changes, key => key.StartsWith(LabelPrefix, StringComparison.Ordinal) ? null : key),
            Labels = Merge(volume.Labels, changes, key => key.StartsWith(LabelPrefix, StringComparison.Ordinal) ? key[LabelPrefix.Length..] : null),
        };
        return changed.Options.Count + changed.Labels.Count <= MaxOptions ? changed : throw new VolumeException($"{changed.Options.Count + changed.Labels.Count} options are too many: a volume has at most {MaxOptions}");
    }

    /// <param name="nameOf">What a change is called here; null when it does not belong here.</param>
    static ImmutableDictionary<string, string> Merge(IReadOnlyDictionary<string, string> has, IReadOnlyDictionary<string, string?> changes, Func<string, string?> nameOf)
    {
        var merged = has.ToImmutableDictionary(StringComparer.Ordinal);
        foreach (var (key, value) in changes)
        {
            if (nameOf(key) is { } name) merged = value is null ? merged.Remove(name) : merged.SetItem(name, value);
        }

        return merged;
    }

    /// <summary>Why the options and labels of a stored volume are none that this program could have been given; null when they are.</summary>
    internal static string? FindFault(Volume stored)
    {
        try
        {
            var spec = new VolumeSpec { Backend = stored.Backend };
            foreach (var (key, value) in stored.Options) spec = spec.Add(key, value);
            foreach (var (key, value) in stored.Labels) spec = spec.Add(LabelPrefix + key, value);
            if (spec.Options.TryGetValue("nfsopts", out var own)) NfsOptions.Parse(own);
            return null;
        }
        catch (VolumeException e)
        {
            return e.Message;
        }
        catch (FormatException e)
        {
            return $"its option nfsopts {e.Message}";
        }
    }

    VolumeSpec Add(string key, string? value)
    {
        if (key.Length > MaxKeyLength || key.Any(char.IsControl)) throw Unknown(key);
        if (value is null) throw new VolumeException($"option {Quoted.Text(key)} has no value: write it as key=value");
        if (value.Length > MaxValueLength) throw Refuse(key, $"is longer than {MaxValueLength} characters", "shorten it");
        if (value.Any(char.IsControl)) throw Refuse(key, "contains control characters", "remove them");
        return key.StartsWith(LabelPrefix, StringComparison.Ordinal) ? WithLabel(key, value) : With(key, value);
    }

    VolumeSpec With(string key, string value)
    {
        var spec = this with { Options = Options.Add(key, value) };
        return key switch
        {
            "backend" => value is "local" or "nfs" ? spec with { Backend = value } : throw Refuse(key, $"is {Quoted.Text(value)}", "use one of local, nfs"),
            "path" => spec with { Path = CheckPath(value) },
            "uid" => spec with { Uid = ParseId(key, value) },
            "gid" => spec with { Gid = ParseId(key, value) },
            "mode" => spec with { Mode = ParseMode(value) },
            "size" => spec with { SizeBytes = ByteSize.Parse(value) ?? throw Refuse(key, $"is {Quoted.Text(value)}", "write a number of bytes such as 10G, 512M or 1048576") },
            "access" => spec with { Access = ParseChoice<AccessMode>(key, value) },
            "on-remove" => spec with { OnRemove = ParseChoice<OnRemove>(key, value) },
            "server" => spec with { Server = NfsAddress.Server(value) ?? throw Refuse(key, $"is {Quoted.Text(value)}", "write a host name or an IP address") },
            "export" => spec with { Export = NfsAddress.Export(value) ?? throw Refuse(key, $"is {Quoted.Text(value)}", "write the absolute path that the server exports") },
            "nfsopts" => spec,
            _ => throw Unknown(key),
        };
    }

    VolumeSpec OnLocal(IReadOnlyDictionary<string, string?> options)
    {
        foreach (var key in (string[])["server", "export", "nfsopts"])
        {
            if (options.ContainsKey(key)) throw Refuse(key, "is for the backend nfs", "add backend=nfs, or leave it out");
        }

        return this;
    }

    VolumeSpec OnNfs(IReadOnlyDictionary<string, string?> options, Settings settings)
    {
        // The default export is the default server's: with another server it would be a guess.
        var export = Export.Length > 0 || options.ContainsKey("server") ? Export : settings.NfsExport;
        var spec = this with { Server = Server.Length > 0 ? Server : settings.NfsServer, Export = export };
        if (spec.Server.Length == 0) throw new VolumeException("backend nfs needs a server: add -o server=…, or start volman with --nfs-server");
        if (spec.Export.Length == 0) throw new VolumeException("backend nfs needs an export: add -o export=/…, or start volman with --nfs-export");
        try
        {
            NfsOptions.Check(Options.GetValueOrDefault("nfsopts") ?? "", settings.NfsOptions);
            return spec;
        }
        catch (FormatException e)
        {
            throw new VolumeException($"option nfsopts {e.Message}", e);
        }
    }

    VolumeSpec WithLabel(string key, string value)
    {
        var label = key[LabelPrefix.Length..];
        if (label.Length is 0 or > 128 || !label.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-' or '/'))
        {
            throw new VolumeException($"label {Quoted.Text(label)} is not allowed: use 1 to 128 of the characters a-z A-Z 0-9 _ . - /");
        }

        return this with { Labels = Labels.Add(label, value) };
    }

    static string CheckPath(string path) => StoredRow.IsDirectory(path)
        ? path
        : throw Refuse("path", $"is {Quoted.Text(path)}", "name an existing directory relative to the root, without a leading slash and without components that begin with a dot");

    static long ParseId(string key, string value) =>
        uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id != uint.MaxValue
            ? id
            : throw Refuse(key, $"is {Quoted.Text(value)}", "write a number from 0 to 4294967294");

    static int ParseMode(string value) =>
        value.Length is >= 3 and <= 5 && value.All(c => c is >= '0' and <= '7') && Convert.ToInt32(value, 8) <= 4095
            ? Convert.ToInt32(value, 8)
            : throw Refuse("mode", $"is {Quoted.Text(value)}", "write an octal mode such as 0750");

    static T ParseChoice<T>(string key, string value)
        where T : struct, Enum => EnumText.Parse<T>(value) ?? throw Refuse(key, $"is {Quoted.Text(value)}", $"use one of {EnumText.Choices<T>()}");

    static VolumeException Unknown(string key) => new($"option {Quoted.Text(key)} is unknown: use backend, server, export, nfsopts, path, uid, gid, mode, size, access, on-remove or label.KEY");

    static VolumeException Refuse(string key, string fault, string cure) => new($"option {key} {fault}: {cure}");
}
