using System.Globalization;
using System.Text;

namespace VolumeManager.Linux;

/// <summary>One line of /proc/PID/mountinfo.</summary>
/// <param name="Device">major:minor of the file system, as the kernel writes it.</param>
/// <param name="Root">The directory within that file system which is the root of this mount.</param>
/// <param name="MountPoint">Where it is mounted, relative to the process's root.</param>
/// <param name="PeerGroup">The number behind <c>shared:</c>, or null for a mount whose events reach nobody.</param>
/// <param name="FileSystemOptions">Those of the file system itself: for NFS what was negotiated, and the server's address.</param>
/// <param name="Server">For NFS the server, as the mount's source names it; null for every other file system.</param>
internal readonly record struct MountInfo(string Device, string Root, string MountPoint, string Options, int? PeerGroup, string FileSystemOptions = "", string? Server = null)
{
    /// <summary>The mounts of this process, in mount order. A process with no mount namespace left has none.</summary>
    internal static List<MountInfo> Read(string process = "self")
    {
        using var reader = new StreamReader($"/proc/{process}/mountinfo", Encoding.UTF8);
        return Parse(reader);
    }

    /// <summary>Reads lines of the form that proc_pid_mountinfo(5) gives:</summary>
    /// <remarks><code>
    /// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    /// (1)(2)(3)   (4)   (5)      (6)     (7)   (8) (9)   (10)         (11)
    /// (3) major:minor  (4) root  (5) mount point  (6) options  (7) optional fields, ended by (8) a hyphen
    /// </code>
    /// Space, tab, newline and backslash stand in fields as octal escapes. A line of another form is passed over: the kernel may add some.</remarks>
    internal static List<MountInfo> Parse(TextReader text)
    {
        var mounts = new List<MountInfo>();
        // Only a newline ends a line: a carriage return in a path stands as it is.
        foreach (var line in text.ReadToEnd().Split('\n'))
        {
            var fields = line.Split(' ');
            if (fields.Length < 10) continue;
            int? peerGroup = null;
            var i = 6;
            for (; i < fields.Length && fields[i] != "-"; i++)
            {
                if (fields[i].StartsWith("shared:", StringComparison.Ordinal) && int.TryParse(fields[i].AsSpan(7), NumberStyles.None, CultureInfo.InvariantCulture, out var group)) peerGroup = group;
            }

            // NFS writes / as the root of every mount, and the directory that it is a mount of into the source.
            var (server, path) = i + 2 < fields.Length && fields[i + 1] is "nfs" or "nfs4" ? SplitSource(Unescape(fields[i + 2])) : (null, null);
            mounts.Add(new MountInfo(
                fields[2], path ?? Unescape(fields[3]), Unescape(fields[4]), fields[5], peerGroup, i + 3 < fields.Length ? fields[i + 3] : "", server));
        }

        return mounts;
    }

    /// <summary>The two parts of what NFS has for a source: <c>server:/export/directory</c>. Both are null for a text of another form.</summary>
    static (string? Server, string? Path) SplitSource(string source)
    {
        var colon = source.IndexOf(":/", Math.Max(source.StartsWith('[') ? source.IndexOf(']', StringComparison.Ordinal) : 0, 0), StringComparison.Ordinal);
        return colon < 0 ? (null, null) : (source[..colon], source[(colon + 1)..]);
    }

    /// <summary>The mount that a path lies on. Its directory must be free of symbolic links.</summary>
    internal static MountInfo Covering(string path, IEnumerable<MountInfo> mounts)
    {
        MountInfo? best = null;
        foreach (var mount in mounts)
        {
            // The later of two mounts at one place hides the earlier.
            if (IsAtOrBelow(path, mount.MountPoint) && (best is null || mount.MountPoint.Length >= best.Value.MountPoint.Length)) best = mount;
        }

        return best ?? throw new InvalidOperationException($"no mount of this namespace holds {path}");
    }

    /// <summary>Whether an absolute path is <paramref name="top"/> or lies below it.</summary>
    internal static bool IsAtOrBelow(string path, string top) =>
        top == "/" || (path.StartsWith(top, StringComparison.Ordinal) && (path.Length == top.Length || path[top.Length] == '/'));

    static string Unescape(string field)
    {
        if (!field.Contains('\\', StringComparison.Ordinal)) return field;
        var text = new StringBuilder(field.Length);
        for (var i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 3 < field.Length && IsOctal(field[i + 1]) && IsOctal(field[i + 2]) && IsOctal(field[i + 3]))
            {
                text.Append((char)(((field[i + 1] - '0') * 64) + ((field[i + 2] - '0') * 8) + (field[i + 3] - '0')));
                i += 3;
            }
            else
            {
                text.Append(field[i]);
            }
        }

        return text.ToString();
    }

    static bool IsOctal(char c) => c is >= '0' and <= '7';
}
