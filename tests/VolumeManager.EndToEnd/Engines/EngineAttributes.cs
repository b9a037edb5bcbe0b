using System.Reflection;
using Xunit.Sdk;

namespace VolumeManager.EndToEnd.Engines;

/// <summary>Runs a theory with one kind of engine, or shows why that is not possible here.</summary>
public abstract class EngineAttribute(EngineKind kind) : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [[kind]];
}

/// <summary>The engine that is installed on this machine.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class InstalledEngineAttribute : EngineAttribute
{
    public InstalledEngineAttribute()
        : base(EngineKind.Installed) => Skip = EngineRoot.WhyNot(EngineKind.Installed);
}

/// <summary>Docker 28 from a root file system of its own.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class Engine28Attribute : EngineAttribute
{
    public Engine28Attribute()
        : base(EngineKind.Docker28) => Skip = EngineRoot.WhyNot(EngineKind.Docker28);
}
