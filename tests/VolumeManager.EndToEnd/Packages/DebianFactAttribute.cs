using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>A test that builds or installs the Debian package, or shows what is missing for that.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class DebianFactAttribute : FactAttribute
{
    static readonly string[] s_programs = ["dpkg-deb", "lintian", "mmdebstrap", "systemd-nspawn", "nsenter", "unshare"];

    public DebianFactAttribute() => Skip = WhyNot();

    internal static string? WhyNot()
    {
        if (!Environment.IsPrivilegedProcess) return "Needs root: it boots machines.";
        string[] missing = [.. s_programs.Where(name => EngineRoot.Find("/", name) is null)];
        return missing.Length == 0 ? null : $"Missing here: {string.Join(", ", missing)}.";
    }
}
