using System.Diagnostics;

namespace VolumeManager.EndToEnd.Packages;

/// <summary>A test that builds the package for arm64, where the package registry has what .NET needs for that.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class DebianArm64FactAttribute : FactAttribute
{
    static readonly Lazy<string?> s_whyNot = new(Probe);

    public DebianArm64FactAttribute() => Skip = DebianFactAttribute.WhyNot() ?? s_whyNot.Value;

    static string? Probe()
    {
        var folder = Directory.CreateTempSubdirectory("volman-arm64-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "probe.csproj"), """
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup>
                    <TargetFramework>net10.0</TargetFramework>
                    <RuntimeIdentifier>linux-arm64</RuntimeIdentifier>
                    <SelfContained>true</SelfContained>
                    <PublishReadyToRun>true</PublishReadyToRun>
                  </PropertyGroup>
                  <ItemGroup><FrameworkReference Include="Microsoft.AspNetCore.App" /></ItemGroup>
                </Project>
                """);
            using var restore = Process.Start(new ProcessStartInfo("dotnet", ["restore", folder.FullName]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
            var said = restore.StandardOutput.ReadToEnd();
            restore.WaitForExit();
            if (restore.ExitCode == 0) return null;
            var error = said.Split('\n').FirstOrDefault(line => line.Contains(": error ", StringComparison.Ordinal)) ?? said;
            return $"The .NET runtime for arm64 cannot be had: {error[(error.IndexOf(": error ", StringComparison.Ordinal) + 2)..].Trim()}";
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
