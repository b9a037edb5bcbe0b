using System.Globalization;
using System.Text;
using VolumeManager.Exports;

namespace VolumeManager.Volumes;

/// <summary>
/// What a row of <c>volumes</c> may say. Whoever has the daemons' role can write any row, and every daemon acts as root on what it reads: so a row is checked like options are,
/// before anything is done with it. One that is not valid is one volume that cannot be used (<see cref="Volume.Fault"/>).
/// </summary>
internal static class StoredRow
{
    const int MaxPathBytes = 1024;
    const int MaxNameBytes = 255;
    const long MaxId = uint.MaxValue - 1L;
    const int MaxMode = 4095;

    /// <summary>The volume, with its fault if it has one. The caller has attached options and labels.</summary>
    internal static Volume Checked(Volume read) => read.Fault is null && FindFault(read) is { } fault ? read with { Fault = fault } : read;

    static string? FindFault(Volume v)
    {
        if (!VolumeName.IsValid(v.Name)) return Has("name", v.Name);
        // Most directories are called as their volumes, and each name is one of a directory.
        if (v.Directory != v.Name && !IsDirectory(v.Directory)) return Has("directory", v.Directory);
        if (v.Backend is not ("local" or "nfs")) return Has("backend", v.Backend);
        if (v.Backend == "nfs" ? NfsAddress.Server(v.Server) is null : v.Server.Length > 0) return Has("server", v.Server);
        if (v.Backend == "nfs" ? NfsAddress.Export(v.Export) is null : v.Export.Length > MaxPathBytes || v.Export.Any(char.IsControl)) return Has("export", v.Export);
        if (v.Uid is < 0 or > MaxId) return Has("uid", v.Uid);
        if (v.Gid is < 0 or > MaxId) return Has("gid", v.Gid);
        if (v.Mode is < 0 or > MaxMode) return Has("mode", v.Mode);
        if (v.SizeBytes <= 0) return Has("size_bytes", v.SizeBytes.Value);
        if (v.Epoch < 1) return Has("epoch", v.Epoch);
        if (v.State is VolumeState.Trashed or VolumeState.Purging or VolumeState.Restoring && v.RemovedAt is null) return "it has no removed_at";
        if (v.State is VolumeState.Trashed or VolumeState.Purging && v.PurgeAfter is null) return "it has no purge_after";
        return VolumeSpec.FindFault(v);
    }

    /// <summary>Whether a text is a path below a root. A leading dot would reach the trash; <c>.</c> and <c>..</c> would leave the root.</summary>
    internal static bool IsDirectory(string path) => Encoding.UTF8.GetByteCount(path) <= MaxPathBytes && !path.Any(char.IsControl)
        && path.Split('/').All(c => c.Length > 0 && Encoding.UTF8.GetByteCount(c) <= MaxNameBytes && c[0] != '.');

    /// <summary>A fault of one column.</summary>
    internal static string Has(string column, string value) => $"its {column} is {Quoted.Text(value)}";

    static string Has(string column, long value) => Has(column, value.ToString(CultureInfo.InvariantCulture));
}
