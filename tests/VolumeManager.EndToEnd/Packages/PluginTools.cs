using VolumeManager.EndToEnd.Clusters;
using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>A plugin in the engine that is installed on this machine.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class InstalledPluginEngineAttribute : EngineAttribute
{
    public InstalledPluginEngineAttribute()
        : base(EngineKind.Installed) => Skip = PluginTools.WhyNot(EngineKind.Installed);
}

/// <summary>A plugin in Docker 28.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class PluginEngine28Attribute : EngineAttribute
{
    public PluginEngine28Attribute()
        : base(EngineKind.Docker28) => Skip = PluginTools.WhyNot(EngineKind.Docker28);
}

/// <summary>What is needed to make plugins, and to hand them from one engine to another.</summary>
internal static class PluginTools
{
    static readonly string[] s_host = ["curl", "docker", "docker-registry", "mmdebstrap", "tar"];

    /// <summary>Null when the tests can run.</summary>
    public static string? WhyNot(EngineKind kind)
    {
        if (ClusterTools.WhyNot(kind) is { } reason)
            return reason;
        string[] missing = [.. s_host.Where(name => EngineRoot.Find("/", name) is null)];
        return missing.Length == 0 ? null : $"Missing here: {string.Join(", ", missing)}.";
    }
}
