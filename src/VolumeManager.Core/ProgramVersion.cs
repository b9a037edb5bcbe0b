using System.Reflection;

namespace VolumeManager;

/// <summary>The one version number, from Directory.Build.props.</summary>
internal static class ProgramVersion
{
    internal static string Text { get; } = typeof(ProgramVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
