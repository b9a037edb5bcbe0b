using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Clusters;

/// <summary>Three of the engine that is installed on this machine, and PostgreSQL.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class InstalledClusterAttribute : EngineAttribute
{
    public InstalledClusterAttribute()
        : base(EngineKind.Installed) => Skip = ClusterTools.WhyNot(EngineKind.Installed);
}

/// <summary>Three times Docker 28 from a root file system of its own, and PostgreSQL.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Cluster28Attribute : EngineAttribute
{
    public Cluster28Attribute()
        : base(EngineKind.Docker28) => Skip = ClusterTools.WhyNot(EngineKind.Docker28);
}
