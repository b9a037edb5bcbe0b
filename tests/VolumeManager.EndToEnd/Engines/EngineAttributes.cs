using System.Reflection;
using Xunit.Sdk;

namespace VolumeManager.EndToEnd.Engines;

/// <summary>
/// Runs a theory with one kind of engine, or skips it with the reason why that is not possible here. A theory that names both kinds takes them in turn, one in each run,
/// when the environment says whose turn it is; the full tier does not say, and runs both.
/// </summary>
public abstract class EngineAttribute(EngineKind kind) : DataAttribute
{
    const string Variable = "VOLMAN_E2E_ALTERNATE";

    static readonly EngineKind? s_turn = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } name ? Enum.Parse<EngineKind>(name) : null;

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        s_turn is null || s_turn == kind || testMethod.GetCustomAttributes<EngineAttribute>().Count() == 1 ? [[kind]] : [];
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
