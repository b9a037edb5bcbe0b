using System.Reflection;
using Xunit.Sdk;

namespace VolumeManager.EndToEnd.Engines;

/// <summary>Runs a theory with one kind of engine, or skips it with the reason why that is not possible here.</summary>
public abstract class EngineAttribute(EngineKind kind) : DataAttribute
{
    /// <summary>The engine of this run's alternating theories; both when it is not set, as in the full tier.</summary>
    const string Variable = "VOLMAN_E2E_ALTERNATE";

    static readonly EngineKind? s_turn = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } name ? Enum.Parse<EngineKind>(name) : null;

    /// <summary>Whether a run needs this theory on one engine only, and the next run takes the other one.</summary>
    public bool Alternates { get; set; }

    public override string? Skip
    {
        get => IsItsTurn ? base.Skip : null;
        set => base.Skip = value;
    }

    bool IsItsTurn => !Alternates || s_turn is null || s_turn == kind;

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => IsItsTurn ? [[kind]] : [];
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
