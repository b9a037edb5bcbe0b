using VolumeManager.EndToEnd.Engines;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>Runs a theory with an engine that builds images, or shows why that is not possible here.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class BuilderAttribute : EngineAttribute
{
    public BuilderAttribute(EngineKind kind)
        : base(kind) => Skip = ImageEngine.WhyNot(kind);
}

/// <summary>A test that needs both engines, each of which builds images.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class BuildersFactAttribute : FactAttribute
{
    public BuildersFactAttribute() => Skip = ImageEngine.WhyNot(EngineKind.Installed) ?? ImageEngine.WhyNot(EngineKind.Docker28);
}
